"""The library: passages and their embeddings in a DuckDB file, so that only what has changed is embedded again."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from taxi_platform.assistant.documents import Document
from taxi_platform.assistant.model import Vector
from taxi_platform.assistant.passages import Passage, passages_of
from taxi_platform.assistant.retrieval import Found
from taxi_platform.errors import disk_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = """
create table if not exists passages (
    identity varchar primary key, place integer not null, document varchar not null,
    headings varchar[] not null, link varchar not null, text varchar not null
);
create table if not exists embeddings (identity varchar, model varchar, vector float[], primary key (identity, model));
"""


@dataclass(frozen=True)
class Changes:
    """What came of ingesting documents: how many passages there are, are new, and were dropped."""

    passages: int
    added: int
    dropped: int


class Library:
    """The passages of some documents, and their vectors by embedding model.

    DuckDB lets one process at a time open a file for writing, so that each call opens it, under a lock, and closes it.

    Args:
        path: the file, made when it is absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ingest(self, documents: Iterable[Document]) -> Changes:
        """Make the library hold the passages of these documents and no others, in one transaction."""
        passages = {passage.identity: passage for document in documents for passage in passages_of(document)}
        with self._open() as library, library.cursor() as transaction:
            transaction.begin()
            before = {identity for (identity,) in transaction.execute("select identity from passages").fetchall()}
            transaction.execute("delete from passages")
            transaction.executemany("insert into passages values (?, ?, ?, ?, ?, ?)", list(_rows(passages)))
            transaction.execute("delete from embeddings where identity not in (select identity from passages)")
            transaction.commit()
        return Changes(len(passages), len(passages.keys() - before), len(before - passages.keys()))

    def passages(self) -> list[Passage]:
        """All passages, document by document, in order."""
        with self._open() as library:
            rows = library.execute("select document, headings, link, text from passages order by place").fetchall()
        return [Passage(document, tuple(headings), link, text) for document, headings, link, text in rows]

    def without_vector(self, model: str) -> list[Passage]:
        """The passages that this embedding model has not seen."""
        with self._open() as library:
            known = library.execute("select identity from embeddings where model = ?", [model]).fetchall()
        seen = {identity for (identity,) in known}
        return [passage for passage in self.passages() if passage.identity not in seen]

    def remember(self, model: str, passages: Sequence[Passage], vectors: Sequence[Vector]) -> None:
        """Keep the vectors that an embedding model gave some passages."""
        rows = [[one.identity, model, list(vector)] for one, vector in zip(passages, vectors, strict=True)]
        with self._open() as library:
            library.executemany("insert or replace into embeddings values (?, ?, ?)", rows)

    def nearest(self, model: str, vector: Vector, count: int) -> list[Found]:
        """The passages whose vectors point most nearly the same way, with the cosine as score, the best first."""
        with self._open() as library:
            rows = library.execute(
                """
                select document, headings, link, text, list_cosine_similarity(vector, ?::float[]) as score
                from passages join embeddings using (identity)
                where model = ? order by score desc, place limit ?
                """,
                [list(vector), model, count],
            ).fetchall()
        return [
            Found(Passage(document, tuple(headings), link, text), round(score, 3))
            for document, headings, link, text, score in rows
        ]

    @contextmanager
    def _open(self) -> "Generator[DuckDBPyConnection]":
        import duckdb

        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_name(f".{self._path.name}.lock")), duckdb.connect(self._path) as library:
            library.execute(TABLES)
            yield library


def _rows(passages: dict[str, Passage]) -> Iterable[list[object]]:
    for place, (identity, passage) in enumerate(passages.items()):
        yield [identity, place, passage.document, list(passage.headings), passage.link, passage.text]

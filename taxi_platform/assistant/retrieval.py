"""Retrieval: finding the passages that answer a question, by words or by meaning, and the library that keeps them.

By words means BM25, which needs neither a model nor a network. By meaning means the cosine between the question's
vector and the passages' vectors, which are kept so that only new and changed passages are embedded.
"""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from filelock import FileLock

from taxi_platform.assistant.documents import Document, Passage, passages_of
from taxi_platform.assistant.model import LanguageModel, Vector
from taxi_platform.errors import disk_errors

if TYPE_CHECKING:
    from bm25s import BM25
    from duckdb import DuckDBPyConnection

WORD = r"[a-zA-Z]+|\d+"  # also inside names: TAXI_ON_BAD_ROWS is four words
ENOUGH = 0.35  # the share of a question's words, weighted by rarity, that a passage needs to be about the question

# Passages with a smaller cosine are about something else. Gemini's vectors lie close together: unrelated texts have
# about 0.5. If one slips through, the model still says when the passages lack the answer.
NEAR = 0.55
BATCH = 100  # passages embedded before they are stored, so that a killed run loses at most one request

TABLES = """
create table if not exists passages (
    identity varchar primary key, place integer not null, document varchar not null,
    headings varchar[] not null, link varchar not null, text varchar not null
);
create table if not exists embeddings (identity varchar, model varchar, vector float[], primary key (identity, model));
"""


@dataclass(frozen=True)
class Found:
    """A passage that may answer a question.

    Attributes:
        passage: the passage.
        score: how well it fits; comparable within one search only.
    """

    passage: Passage
    score: float


class Retriever(Protocol):
    """Something that finds passages."""

    def search(self, question: str, count: int) -> list[Found]:
        """Return at most ``count`` passages, the best first; none if no passage is about the question.

        Raises:
            ModelUnreachable: the question has to be embedded, and the model does not answer.
            ModelRefused: the model refuses to embed the question.
        """
        ...


class LexicalRetriever:
    """Finds the passages that share the rarest words with a question.

    Args:
        passages: the passages to search.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    def search(self, question: str, count: int) -> list[Found]:
        """Return the best passages first, as ``Retriever.search`` promises. A score is BM25's and has no maximum."""
        words = list(dict.fromkeys(words_of([question])[0]))
        known = [word for word in words if word in self._rarity]
        if not known:
            return []
        scores = self._bm25.get_scores(known)
        best = sorted(range(len(self._passages)), key=lambda place: -scores[place])[:count]
        # A word that no passage has weighs as much as one that a single passage has.
        weight = sum(self._rarity.get(word, max(self._rarity.values())) for word in words)
        return [
            Found(self._passages[place], round(float(scores[place]), 3))
            for place in best
            if sum(self._rarity[word] for word in known if word in self._sets[place]) >= ENOUGH * weight
        ]

    @cached_property
    def _texts(self) -> list[list[str]]:
        return words_of([passage.searchable for passage in self._passages])

    @cached_property
    def _sets(self) -> list[set[str]]:
        return [set(text) for text in self._texts]

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """The weight of each word: the logarithm of the inverse of the share of passages that have it."""
        every = {word for words in self._sets for word in words}
        count = len(self._sets)
        return {word: math.log(1 + count / sum(word in words for words in self._sets)) for word in every}

    @cached_property
    def _bm25(self) -> "BM25":
        from bm25s import BM25

        index = BM25()
        index.index(self._texts, show_progress=False)
        return index


def words_of(texts: list[str]) -> list[list[str]]:
    """Return the stems of each text's words, without those that mean nothing by themselves."""
    import bm25s
    import Stemmer

    words = bm25s.tokenize(
        texts,
        stopwords="en_plus",
        stemmer=cast("Callable[[list[str]], list[str]]", Stemmer.Stemmer("english").stemWords),
        return_ids=False,
        show_progress=False,
        token_pattern=WORD,
    )
    return cast("list[list[str]]", words)


@dataclass(frozen=True)
class Changes:
    """What storing documents changed: how many passages there are, how many are new, how many were dropped."""

    passages: int
    added: int
    dropped: int


class Library:
    """The passages of some documents, and their vectors by embedding model, in a DuckDB file.

    DuckDB lets only one process at a time open a file for writing, so each call opens it, under a lock, and closes it.

    Args:
        path: the file; it is created when it is absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ingest(self, documents: Iterable[Document]) -> Changes:
        """Store the passages of these documents and drop all others, in one transaction."""
        passages = {passage.identity: passage for document in documents for passage in passages_of(document)}
        rows = [
            [identity, place, passage.document, list(passage.headings), passage.link, passage.text]
            for place, (identity, passage) in enumerate(passages.items())
        ]
        with self._open() as library, library.cursor() as transaction:
            transaction.begin()
            before = {identity for (identity,) in transaction.execute("select identity from passages").fetchall()}
            transaction.execute("delete from passages")
            transaction.executemany("insert into passages values (?, ?, ?, ?, ?, ?)", rows)
            transaction.execute("delete from embeddings where identity not in (select identity from passages)")
            transaction.commit()
        return Changes(len(passages), len(passages.keys() - before), len(before - passages.keys()))

    def passages(self) -> list[Passage]:
        """Return all passages in order, document by document."""
        with self._open() as library:
            rows = library.execute("select document, headings, link, text from passages order by place").fetchall()
        return [Passage(document, tuple(headings), link, text) for document, headings, link, text in rows]

    def without_vector(self, model: str) -> list[Passage]:
        """Return the passages that this model has not embedded yet."""
        with self._open() as library:
            rows = library.execute("select identity from embeddings where model = ?", [model]).fetchall()
        embedded = {identity for (identity,) in rows}
        return [passage for passage in self.passages() if passage.identity not in embedded]

    def remember(self, model: str, passages: Sequence[Passage], vectors: Sequence[Vector]) -> None:
        """Store the vectors that an embedding model gave for some passages."""
        rows = [[passage.identity, model, list(vector)] for passage, vector in zip(passages, vectors, strict=True)]
        with self._open() as library:
            library.executemany("insert or replace into embeddings values (?, ?, ?)", rows)

    def nearest(self, model: str, vector: Vector, count: int) -> list[Found]:
        """Return the passages with the nearest vectors, the best first, with the cosine as score."""
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


class SemanticRetriever:
    """Finds the passages of a library whose meaning is nearest to a question's.

    Args:
        library: the passages, already embedded.
        model: the model that embedded them.
    """

    def __init__(self, library: Library, model: LanguageModel) -> None:
        self._library = library
        self._model = model

    def search(self, question: str, count: int) -> list[Found]:
        """Return the nearest passages first, as ``Retriever.search`` promises. A score is a cosine."""
        (vector,) = self._model.embed([question], "question")
        nearest = self._library.nearest(self._model.embedding_name, vector, count)
        return [found for found in nearest if found.score >= NEAR]


def embed_missing(library: Library, model: LanguageModel) -> int:
    """Embed the passages that the model has not embedded yet, and return how many there were.

    Raises:
        ModelUnreachable: the model does not answer; what was embedded until then is kept.
        ModelRefused: the model refuses; what was embedded until then is kept.
    """
    missing = library.without_vector(model.embedding_name)
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        vectors = model.embed([passage.searchable for passage in batch], "passage")
        library.remember(model.embedding_name, batch, vectors)
    return len(missing)

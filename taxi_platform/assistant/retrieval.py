"""Retrieval: finding the passages that answer a question, by words or by meaning, and the library that keeps them.

By words means BM25, which needs neither a model nor a network. By meaning means the cosine of vectors.
"""

import math
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock

from taxi_platform.assistant.documents import Document, Passage, passages_of
from taxi_platform.assistant.model import LanguageModel
from taxi_platform.errors import disk_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORD = r"[a-zA-Z]+|\d+"  # also inside names: TAXI_ON_BAD_ROWS is four words
ENOUGH = 0.35  # the share of a question's words, weighted by rarity, that a passage needs to be about the question

NEAR = 0.55  # a smaller cosine is about something else: of Gemini's vectors, those of unrelated texts have about 0.5
BATCH = 100  # passages embedded before they are stored, so that a killed run loses at most one request

TABLES = """
create table if not exists passages (
    identity varchar primary key, place integer not null, document varchar not null,
    headings varchar[] not null, link varchar not null, text varchar not null
);
create table if not exists embeddings (identity varchar, model varchar, vector float[], primary key (identity, model));
"""
_NOT_EMBEDDED = """
select document, headings, link, text from passages
where identity not in (select identity from embeddings where model = ?) order by place"""
_NEAREST = """
select document, headings, link, text, list_cosine_similarity(vector, ?::float[]) as score
from passages join embeddings using (identity)
where model = ? and score >= ? order by score desc, place limit ?"""


@dataclass(frozen=True)
class Found:
    """A passage that may answer a question, and how well it fits; scores are comparable within one search only."""

    passage: Passage
    score: float


class LexicalRetriever:
    """Finds the passages that share the rarest words with a question."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        from bm25s import BM25

        self._passages = passages
        texts = words_of([passage.searchable for passage in passages])
        self._words = [set(text) for text in texts]
        counts = Counter(word for words in self._words for word in words)
        # The weight of a word: the logarithm of the inverse of the share of passages that have it.
        self._rarity = {word: math.log(1 + len(passages) / count) for word, count in counts.items()}
        self._index = BM25()
        if counts:
            self._index.index(texts, show_progress=False)

    def search(self, question: str, count: int) -> list[Found]:
        """Return at most ``count`` passages with their BM25 scores, the best first; none if none fits."""
        words = list(dict.fromkeys(words_of([question])[0]))
        known = [word for word in words if word in self._rarity]
        if not known:
            return []
        scores = self._index.get_scores(known)
        best = sorted(range(len(self._passages)), key=lambda place: -scores[place])[:count]
        # A word that no passage has weighs as much as one that a single passage has.
        weight = sum(self._rarity.get(word, max(self._rarity.values())) for word in words)
        return [
            Found(self._passages[place], round(float(scores[place]), 3))
            for place in best
            if sum(self._rarity[word] for word in known if word in self._words[place]) >= ENOUGH * weight
        ]


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
class Library:
    """The passages of some documents, and their vectors by embedding model, in a DuckDB file.

    Without a model, passages are found by words. DuckDB lets only one process at a time open a file for writing, so
    each call opens it, under a lock, and closes it.
    """

    path: Path
    model: LanguageModel | None = None

    def ingest(self, documents: Iterable[Document]) -> dict[str, int]:
        """Store the passages of these documents, drop all others, and count passages, additions and drops."""
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
        added, dropped = passages.keys() - before, before - passages.keys()
        return {"passages": len(passages), "added": len(added), "dropped": len(dropped)}

    def passages(self) -> list[Passage]:
        """Return all passages in order, document by document."""
        return self._select("select document, headings, link, text from passages order by place")

    def embed(self) -> int:
        """Embed the passages that the model has not embedded yet, and return how many there were."""
        if self.model is None:
            return 0
        name = self.model.embedding_name
        missing = self._select(_NOT_EMBEDDED, name)
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            vectors = self.model.embed([passage.searchable for passage in batch], "passage")
            rows = [[each.identity, name, list(vector)] for each, vector in zip(batch, vectors, strict=True)]
            with self._open() as library:
                library.executemany("insert or replace into embeddings values (?, ?, ?)", rows)
        return len(missing)

    def search(self, question: str, count: int) -> list[Found]:
        """Return at most ``count`` passages that fit the question, the best first, with cosines or BM25 scores."""
        if self.model is None:
            return LexicalRetriever(self.passages()).search(question, count)
        (vector,) = self.model.embed([question], "question")
        with self._open() as library:
            rows = library.execute(_NEAREST, [list(vector), self.model.embedding_name, NEAR, count]).fetchall()
        return [Found(_passage(row), round(row[-1], 3)) for row in rows]

    def _select(self, query: str, *parameters: object) -> list[Passage]:
        with self._open() as library:
            return [_passage(row) for row in library.execute(query, list(parameters)).fetchall()]

    @contextmanager
    def _open(self) -> "Generator[DuckDBPyConnection]":
        import duckdb

        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(f".{self.path.name}.lock")), duckdb.connect(self.path) as library:
            library.execute(TABLES)
            yield library


def _passage(row: Sequence[Any]) -> Passage:
    document, headings, link, text, *_ = row
    return Passage(document, tuple(headings), link, text)

"""Retrieval by words, with BM25: it needs no model and no network."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

from taxi_platform.assistant.passages import Passage
from taxi_platform.assistant.retrieval import Found

if TYPE_CHECKING:
    from bm25s import BM25

WORD = r"[a-zA-Z]+|\d+"  # also inside of names: TAXI_ON_BAD_ROWS is four words
ENOUGH = 0.35  # share of a question's words, weighted by rarity, that a passage must have to be about it at all


class LexicalRetriever:
    """Finds the passages that share the rarest words with a question.

    Args:
        passages: among which to look.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    def search(self, question: str, count: int) -> list[Found]:
        """The best passages first, as ``Retriever.search`` promises. A score is BM25's, open upwards."""
        words = words_of([question])[0]
        known = [word for word in dict.fromkeys(words) if word in self._rarity]
        if not known or not self._passages:
            return []
        scores = self._bm25.get_scores(known)
        best = sorted(range(len(self._passages)), key=lambda place: -scores[place])[:count]
        weight = sum(self._rarity.get(word, self._unknown) for word in dict.fromkeys(words))
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
        """How much a word tells: the inverse of the share of passages that have it, as a logarithm."""
        import math

        every = {word for words in self._sets for word in words}
        count = len(self._sets)
        return {word: math.log(1 + count / sum(word in words for words in self._sets)) for word in every}

    @property
    def _unknown(self) -> float:
        """The weight of a word that no passage has: as much as one that a single passage has."""
        return max(self._rarity.values())

    @cached_property
    def _bm25(self) -> "BM25":
        from bm25s import BM25

        index = BM25()
        index.index(self._texts, show_progress=False)
        return index


def words_of(texts: list[str]) -> list[list[str]]:
    """The stems of the words that mean something, text by text."""
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

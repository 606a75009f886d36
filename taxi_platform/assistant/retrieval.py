"""Retrieval: which passages a question is about. How passages are compared is each retriever's own."""

from dataclasses import dataclass
from typing import Protocol

from taxi_platform.assistant.passages import Passage


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
        """At most ``count`` passages, the best first; none when nothing is about the question.

        Raises:
            ModelUnreachable, ModelRefused: the question has to be embedded, and cannot be.
        """
        ...

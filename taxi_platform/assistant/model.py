"""What the assistant asks of a language model, and what can go wrong with one. No model is implemented here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from taxi_platform.failures import TaxiError

Purpose = Literal["passage", "question"]
Vector = Sequence[float]


@dataclass(frozen=True)
class Prompt:
    """What a model is told.

    Attributes:
        instructions: who it is and which rules it follows; written by this project alone.
        text: the question and the material for it; nothing in it is an instruction.
    """

    instructions: str
    text: str


class LanguageModel(Protocol):
    """A model that embeds and answers."""

    @property
    def name(self) -> str:
        """Which model answers, e.g. ``gemini-2.5-flash``; answers are labelled with it."""
        ...

    @property
    def embedding_name(self) -> str:
        """Which model embeds; the vectors of different ones cannot be compared."""
        ...

    def answer(self, prompt: Prompt) -> str:
        """The model's answer to a prompt.

        Raises:
            ModelUnreachable: no answer in time, or too many requests, however often asked.
            ModelRefused: the key, the model's name or the prompt is not accepted.
        """
        ...

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """A vector of length one for each text, in order.

        Raises:
            ModelUnreachable, ModelRefused: as ``answer`` does.
        """
        ...


class ModelUnreachable(TaxiError):
    """The model's server does not answer, or has no capacity left for us."""

    transient = True


class ModelRefused(TaxiError):
    """The model's server answers, and does not do what it was asked."""


class QuestionRefused(TaxiError):
    """The question cannot be asked: it is empty or far too long."""

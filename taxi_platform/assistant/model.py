"""What the assistant asks of a language model, and what can go wrong with one. No model is implemented here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from taxi_platform.errors import InvalidRequest, TaxiError

Purpose = Literal["passage", "question"]
Vector = Sequence[float]
Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Prompt:
    """What a model is told.

    Attributes:
        instructions: who it is and which rules it follows; written by this project alone.
        text: the question and the material for it; nothing in it is an instruction.
        shape: of the JSON that the answer shall be; none when it shall be prose.
    """

    instructions: str
    text: str
    shape: type[BaseModel] | None = None


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


class Misshapen(TaxiError):
    """The model's answer is not the JSON that it was asked for."""


class QuestionRefused(InvalidRequest):
    """The question cannot be asked: it is empty or far too long."""


def in_shape(answer: str, shape: type[Shape]) -> Shape:
    """A model's answer as the JSON that it was asked for, which some wrap into Markdown all the same.

    Raises:
        Misshapen: it is none, or lacks a field.
    """
    bare = answer.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return shape.model_validate_json(bare)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()[:3])
        raise Misshapen("the model's answer", f"it is not the JSON that it was asked for ({problems[:300]})") from None

"""The language model as a protocol: what it is asked, and what can go wrong. Implementations do not belong here."""

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
    """A request to a model.

    Attributes:
        instructions: the rules that the model follows; written by this project alone.
        text: the question and the material for it; nothing in it is an instruction.
        shape: the shape of the answer's JSON; None if the answer is prose.
    """

    instructions: str
    text: str
    shape: type[BaseModel] | None = None


class LanguageModel(Protocol):
    """A model that embeds and answers."""

    @property
    def name(self) -> str:
        """The model that answers, e.g. ``gemini-2.5-flash``; answers are labelled with it."""
        ...

    @property
    def embedding_name(self) -> str:
        """The model that embeds; vectors of different models cannot be compared."""
        ...

    def answer(self, prompt: Prompt) -> str:
        """Return the model's answer to a prompt.

        Raises:
            ModelUnreachable: no answer in time, or too many requests, after all attempts.
            ModelRefused: the key, the model's name or the prompt is not accepted.
        """
        ...

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Return a vector of length one for each text, in order.

        Raises:
            ModelUnreachable: no answer in time, or too many requests, after all attempts.
            ModelRefused: the key, the model's name or a text is not accepted.
        """
        ...


class ModelUnreachable(TaxiError):
    """The model's server does not answer, or has no capacity left for us."""

    transient = True


class ModelRefused(TaxiError):
    """The model's server answers, but refuses the request."""


class Misshapen(TaxiError):
    """The model's answer is not the JSON that was requested."""


class QuestionRefused(InvalidRequest):
    """The question is empty or far too long."""


def in_shape(answer: str, shape: type[Shape]) -> Shape:
    """Parse the JSON of a model's answer, which some models wrap in Markdown.

    Raises:
        Misshapen: the answer is not JSON, or lacks a field.
    """
    bare = answer.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return shape.model_validate_json(bare)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in error.errors()[:3]
        )
        raise Misshapen("the model's answer", f"it is not the JSON that was requested ({problems[:300]})") from None

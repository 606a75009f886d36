"""The language model as a protocol, its requests and its errors. The implementation is in ``gemini``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from taxi_platform.errors import InvalidRequest, TaxiError

Purpose = Literal["passage", "question"]
Vector = Sequence[float]
Shape = TypeVar("Shape", bound=BaseModel)


class ModelUnreachable(TaxiError):
    """The model's server does not answer, or has no capacity left for us."""

    transient = True


class ModelRefused(TaxiError):
    """The model's server answers, but refuses the request."""


class WrongShape(TaxiError):
    """The model's answer is not the JSON that was requested."""


class QuestionRefused(InvalidRequest):
    """The question is empty or far too long."""


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
    """A model that answers under ``name`` and embeds under ``embedding_name``.

    Both methods raise ``ModelUnreachable`` or ``ModelRefused``.
    """

    name: str
    embedding_name: str

    def answer(self, prompt: Prompt) -> str:
        """Return the model's answer to a prompt."""
        ...

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Return a vector of length one for each text, in order."""
        ...


def in_shape(answer: str, shape: type[Shape]) -> Shape:
    """Parse the JSON of a model's answer.

    Raises:
        WrongShape: the answer is not JSON, or lacks a field.
    """
    try:
        return shape.model_validate_json(answer)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "it"
        what = f"it is not the JSON that was requested ({where}: {problem['msg'][:300]})"
        raise WrongShape("the model's answer", what) from None

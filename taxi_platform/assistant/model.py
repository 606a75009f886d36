"""The language model as a protocol, its requests and its errors. The implementation is in ``gemini``."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from taxi_platform.errors import TaxiError

Purpose = Literal["passage", "question"]
Vector = Sequence[float]
Shape = TypeVar("Shape", bound=BaseModel)
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class ModelUnreachable(TaxiError):
    """The model's server does not answer, or has no capacity left for us."""

    transient = True


class ModelRefused(TaxiError):
    """The model's server answers, but refuses the request."""


class AnswerRefused(TaxiError):
    """The model's answer cannot be used: it has the wrong shape, or what it proposes fails."""


@dataclass(frozen=True)
class Prompt:
    """A request to a model."""

    instructions: str  # the rules that the model follows; written by this project alone
    text: str  # the question and the material for it; nothing in it is an instruction
    shape: type[BaseModel] | None = None  # of the answer's JSON; None if the answer is prose


class LanguageModel(Protocol):
    """A model that answers under ``name`` and embeds under ``embedding_name``."""

    name: str
    embedding_name: str

    def answer(self, prompt: Prompt) -> str:
        """Return the model's answer to a prompt."""
        ...

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Return a vector for each of at most a hundred texts, in order."""
        ...


def as_json(material: object) -> str:
    """Return the material of a prompt as JSON, in which no quotation can end itself."""
    return json.dumps(material, ensure_ascii=False, indent=1)


def answer_in_shape(
    model: LanguageModel,
    instructions: str,
    material: Mapping[str, object],
    shape: type[Shape],
    use: Callable[[Shape], Result],
    attempts: int,
) -> Result:
    """Ask for an answer in a shape until it can be used; the model gets a refused answer back with the reason.

    ``use`` is called with each answer, and raises ``AnswerRefused`` if it cannot be used.

    Raises:
        AnswerRefused: no attempt was good.
    """
    reason = ""
    for attempt in range(1, attempts + 1):
        reply = model.answer(Prompt(instructions, as_json(material), shape))
        try:
            return use(shape.model_validate_json(reply))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "it"
            reason = f"it is not the JSON that was requested ({where}: {problem['msg'][:300]})"
        except AnswerRefused as error:
            reason = error.what
        logger.info("Attempt %d of %d is refused: %s", attempt, attempts, reason)
        material = {**material, "previous": reply, "problems": reason}
    what = f"none of {attempts} attempts was good; the last: {reason}"
    raise AnswerRefused(f"the {shape.__name__.lower()} of {model.name}", what, "Describe in other words what you want.")

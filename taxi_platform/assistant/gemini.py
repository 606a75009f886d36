"""Google's Gemini as the language model, by the google-genai library. What is asked of it is decided elsewhere."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from taxi_platform.assistant.model import ModelRefused, ModelUnreachable, Prompt, Purpose, Vector

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentResponse

Result = TypeVar("Result")

DIMENSIONS = 768  # of 3,072 that the model can give; Google measures less than 1 % lost, at a quarter of the room
BATCH = 100  # texts in one request, the most that the service takes
ATTEMPTS = 4  # after 429, 5xx and broken connections, with pauses of 1, 2 and 4 s
TIMEOUT = 60.0  # seconds for one attempt; a thinking model may take half of that
KEYS = "https://aistudio.google.com/apikey"
_TASKS = {"passage": "RETRIEVAL_DOCUMENT", "question": "RETRIEVAL_QUERY"}


class Gemini:
    """A ``LanguageModel`` that asks Google's service.

    Args:
        key: the API key.
        name: the model that answers.
        embedding_name: the model that embeds.
        timeout: seconds for one attempt.
        first_wait: seconds before the second attempt; it doubles with each further one.
    """

    def __init__(
        self, key: SecretStr, name: str, embedding_name: str, *, timeout: float = TIMEOUT, first_wait: float = 1.0
    ) -> None:
        self.name = name
        self.embedding_name = embedding_name
        self._key = key
        self._timeout = timeout
        self._first_wait = first_wait

    def answer(self, prompt: Prompt) -> str:
        """The model's answer, as ``LanguageModel.answer`` promises."""
        from google.genai.types import GenerateContentConfig

        config = GenerateContentConfig(
            system_instruction=prompt.instructions,
            temperature=0.2,
            response_mime_type="application/json" if prompt.shape else None,
            response_schema=prompt.shape,
        )
        response = self._ask(
            self.name,
            lambda client: client.models.generate_content(model=self.name, contents=prompt.text, config=config),
        )
        return _text_of(response, self.name)

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Vectors of ``DIMENSIONS`` numbers, as ``LanguageModel.embed`` promises."""
        return [
            vector
            for start in range(0, len(texts), BATCH)
            for vector in self._embed_batch(list(texts[start : start + BATCH]), purpose)
        ]

    def _embed_batch(self, texts: list[str], purpose: Purpose) -> list[Vector]:
        from google.genai.types import EmbedContentConfig

        config = EmbedContentConfig(task_type=_TASKS[purpose], output_dimensionality=DIMENSIONS)
        contents: list[Any] = [*texts]
        response = self._ask(
            self.embedding_name,
            lambda client: client.models.embed_content(model=self.embedding_name, contents=contents, config=config),
        )
        vectors = [embedding.values or [] for embedding in response.embeddings or []]
        if len(vectors) != len(texts) or not all(vectors):
            raise ModelRefused(self.embedding_name, f"it gave {len(vectors)} vectors for {len(texts)} texts")
        return [_of_length_one(vector) for vector in vectors]  # what was cut to fewer dimensions is not, as it comes

    @cached_property
    def _client(self) -> "Client":
        from google.genai import Client
        from google.genai.types import HttpOptions, HttpRetryOptions

        key = self._key.get_secret_value().strip()
        if not re.fullmatch("[!-~]+", key):  # it goes into a header
            what = "it is no key: it has a space in it, or a character that is not ASCII"
            raise ModelRefused("GEMINI_API_KEY", what, f"Copy it once more from {KEYS}.")
        retries = HttpRetryOptions(attempts=ATTEMPTS, initial_delay=self._first_wait, jitter=self._first_wait / 2)
        options = HttpOptions(timeout=round(self._timeout * 1000), retry_options=retries)
        return Client(api_key=key, http_options=options)

    def _ask(self, model: str, question: "Callable[[Client], Result]") -> Result:
        """One request with its retries, its failures told in words."""
        from google.genai.errors import APIError

        try:
            return question(self._client)
        except APIError as error:
            raise _failure(model, error) from None
        except ValueError as error:  # among them pydantic's and json's
            raise ModelUnreachable(
                model, f"its answer cannot be read ({str(error)[:100]})", "Is a proxy in between?"
            ) from None
        except Exception as error:
            if not _is_of_transport(error):
                raise
            what = "timed out" if "timeout" in type(error).__name__.lower() else f"no connection ({error})"
            raise ModelUnreachable(model, what, "Check the network, or unset GEMINI_API_KEY to stay offline.") from None


def _is_of_transport(error: Exception) -> bool:
    """Whether the HTTP library broke off; it is httpx or httpx2, as google-genai's version has it."""
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2")


def _failure(model: str, error: Any) -> ModelRefused | ModelUnreachable:
    said = " ".join(str(error.message or error.status or "no reason given").split())[:300]
    what = f"Gemini answers {error.code}: {said}"
    if error.code == 429:
        return ModelUnreachable(
            model, f"{what} (the rate limit, asked {ATTEMPTS} times)", "Wait a minute, or raise the quota."
        )
    if error.code == 408 or error.code >= 500:
        return ModelUnreachable(model, what, "Try again later, or unset GEMINI_API_KEY to stay offline.")
    if error.code == 404:
        return ModelRefused(model, f"there is no such model ({said})", "Set TAXI_CHAT_MODEL or TAXI_EMBEDDING_MODEL.")
    if error.code in (401, 403) or "api key" in said.lower():
        return ModelRefused("GEMINI_API_KEY", f"the key is not accepted ({said})", f"Make one at {KEYS}.")
    if "token" in said.lower():
        return ModelRefused(model, f"the prompt is too long ({said})", "Ask more shortly, or cite fewer passages.")
    return ModelRefused(model, what)


def _text_of(response: "GenerateContentResponse", model: str) -> str:
    text = response.text
    if text and text.strip():
        return text.strip()
    feedback = response.prompt_feedback
    reasons = [candidate.finish_reason for candidate in response.candidates or []]
    blocked = (feedback and feedback.block_reason) or next((reason for reason in reasons if reason), None)
    reason = getattr(blocked, "value", blocked) or "no reason given"
    raise ModelRefused(model, f"it gave no answer: {reason}", "Ask in another way.")


def _of_length_one(vector: Sequence[float]) -> Vector:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)

"""Google's Gemini as the language model, through the google-genai library. Prompts do not belong here."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from taxi_platform.assistant.model import ModelRefused, ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentResponse

Result = TypeVar("Result")

DIMENSIONS = 768  # of 3,072; a quarter of the space, and by Google's measurements less than 1 % worse
BATCH = 100  # texts in one request, the service's limit
ATTEMPTS = 4  # after 429, 5xx and broken connections, after 1, 2 and 4 s
TIMEOUT = 60.0  # seconds for one attempt; a thinking model may take half of that
KEYS = "https://aistudio.google.com/apikey"
_TASKS = {"passage": "RETRIEVAL_DOCUMENT", "question": "RETRIEVAL_QUERY"}


class Gemini:
    """A ``LanguageModel`` served by Google.

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
        """Return the model's answer, as ``LanguageModel.answer`` promises."""
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
        """Return vectors of ``DIMENSIONS`` numbers, as ``LanguageModel.embed`` promises."""
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
            raise ModelRefused(self.embedding_name, f"it returned {len(vectors)} vectors for {len(texts)} texts")
        return [_of_length_one(vector) for vector in vectors]  # shortened vectors come without this length

    @cached_property
    def _client(self) -> "Client":
        from google.genai import Client
        from google.genai.types import HttpOptions, HttpRetryOptions

        key = self._key.get_secret_value().strip()
        if not re.fullmatch("[!-~]+", key):  # it goes into a header
            what = "it is not a key: it contains a space or a character that is not ASCII"
            raise ModelRefused("GEMINI_API_KEY", what, f"Copy it again from {KEYS}.")
        retries = HttpRetryOptions(attempts=ATTEMPTS, initial_delay=self._first_wait, jitter=self._first_wait / 2)
        options = HttpOptions(timeout=round(self._timeout * 1000), retry_options=retries)
        return Client(api_key=key, http_options=options)

    def _ask(self, model: str, question: "Callable[[Client], Result]") -> Result:
        """Send one request with its retries, and turn its failures into our errors."""
        from google.genai.errors import APIError

        try:
            return question(self._client)
        except APIError as error:
            raise _failure(model, error) from None
        except ValueError as error:  # includes pydantic's and json's
            raise ModelUnreachable(
                model, f"its answer cannot be read ({str(error)[:100]})", "Check whether a proxy answers instead."
            ) from None
        except Exception as error:
            if not _is_of_transport(error):
                raise
            what = "timed out" if "timeout" in type(error).__name__.lower() else f"no connection ({error})"
            raise ModelUnreachable(model, what, "Check the network, or unset GEMINI_API_KEY to stay offline.") from None


def _is_of_transport(error: Exception) -> bool:
    """Return whether the HTTP library failed: httpx or httpx2, depending on google-genai's version."""
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2")


def _failure(model: str, error: Any) -> ModelRefused | ModelUnreachable:
    message = " ".join(str(error.message or error.status or "no reason given").split())[:300]
    what = f"Gemini answers {error.code}: {message}"
    if error.code == 429:
        return ModelUnreachable(
            model, f"{what} (the rate limit, after {ATTEMPTS} attempts)", "Wait a minute, or raise the quota."
        )
    if error.code == 408 or error.code >= 500:
        return ModelUnreachable(model, what, "Try again later, or unset GEMINI_API_KEY to stay offline.")
    if error.code == 404:
        return ModelRefused(
            model, f"there is no such model ({message})", "Set TAXI_CHAT_MODEL or TAXI_EMBEDDING_MODEL."
        )
    if error.code in (401, 403) or "api key" in message.lower():
        return ModelRefused("GEMINI_API_KEY", f"the key is not accepted ({message})", f"Make one at {KEYS}.")
    if "token" in message.lower():
        return ModelRefused(model, f"the prompt is too long ({message})", "Ask a shorter question.")
    return ModelRefused(model, what)


def _text_of(response: "GenerateContentResponse", model: str) -> str:
    text = response.text
    if text and text.strip():
        return text.strip()
    feedback = response.prompt_feedback
    reasons = [candidate.finish_reason for candidate in response.candidates or []]
    blocked = (feedback and feedback.block_reason) or next((reason for reason in reasons if reason), None)
    reason = getattr(blocked, "value", blocked) or "no reason given"
    raise ModelRefused(model, f"it gave no answer: {reason}", "Rephrase the question.")


def _of_length_one(vector: Sequence[float]) -> Vector:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)


def configured_model() -> Gemini | None:
    """Return the model of the settings, or None if there is no key for it."""
    chosen = settings()
    if chosen.gemini_api_key is None:
        return None
    return Gemini(chosen.gemini_api_key, chosen.chat_model, chosen.embedding_model)

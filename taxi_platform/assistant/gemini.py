"""Google's Gemini as the language model, through the google-genai library. Prompts do not belong here."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from taxi_platform.assistant.model import ModelRefused, ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentResponse

DIMENSIONS = 768  # of 3,072; a quarter of the space, and by Google's measurements less than 1 % worse
ATTEMPTS = 4  # after 429, 5xx and broken connections, after 1, 2 and 4 s
TIMEOUT = 60.0  # seconds for one attempt; a thinking model may take half of that
KEYS = "https://aistudio.google.com/apikey"
_TASKS = {"passage": "RETRIEVAL_DOCUMENT", "question": "RETRIEVAL_QUERY"}
_HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")  # depending on google-genai's version


@dataclass
class Gemini:
    """A ``LanguageModel`` served by Google; waits between attempts double from ``first_wait``, in seconds."""

    key: SecretStr
    name: str
    embedding_name: str
    timeout: float = TIMEOUT
    first_wait: float = 1.0

    def answer(self, prompt: Prompt) -> str:
        """Return the model's answer, as ``LanguageModel.answer`` promises."""
        from google.genai.types import GenerateContentConfig

        config = GenerateContentConfig(
            system_instruction=prompt.instructions,
            temperature=0.2,
            response_mime_type="application/json" if prompt.shape else None,
            response_schema=prompt.shape,
        )
        with _failures(self.name):
            response = self._client.models.generate_content(model=self.name, contents=prompt.text, config=config)
        return _text_of(response, self.name)

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Return vectors of ``DIMENSIONS`` numbers for at most a hundred texts, the service's limit."""
        from google.genai.types import EmbedContentConfig

        name, contents = self.embedding_name, list(texts)
        config = EmbedContentConfig(task_type=_TASKS[purpose], output_dimensionality=DIMENSIONS)
        with _failures(name):
            response = self._client.models.embed_content(model=name, contents=cast("Any", contents), config=config)
        vectors: list[Vector] = [embedding.values or [] for embedding in response.embeddings or []]
        if len(vectors) != len(texts) or not all(vectors):
            raise ModelRefused(name, f"it returned {len(vectors)} vectors for {len(texts)} texts")
        return vectors

    @cached_property
    def _client(self) -> "Client":
        from google.genai import Client
        from google.genai.types import HttpOptions, HttpRetryOptions

        key = self.key.get_secret_value().strip()
        if not re.fullmatch("[!-~]+", key):  # it goes into a header
            what = "it is not a key: it contains a space or a character that is not ASCII"
            raise ModelRefused("GEMINI_API_KEY", what, f"Copy it again from {KEYS}.")
        retries = HttpRetryOptions(attempts=ATTEMPTS, initial_delay=self.first_wait, jitter=self.first_wait / 2)
        options = HttpOptions(timeout=round(self.timeout * 1000), retry_options=retries)
        return Client(api_key=key, http_options=options)


@contextmanager
def _failures(model: str) -> Generator[None]:
    """Turn the failures of a request, which has been retried, into our errors."""
    from google.genai.errors import APIError

    try:
        yield
    except APIError as error:
        raise _failure(model, error) from None
    except ValueError as error:  # includes pydantic's and json's
        what = f"its answer cannot be read ({str(error)[:100]})"
        raise ModelUnreachable(model, what, "Check whether a proxy answers instead.") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
            raise
        what = "timed out" if "timeout" in type(error).__name__.lower() else f"no connection ({error})"
        raise ModelUnreachable(model, what, "Check the network, or unset GEMINI_API_KEY to stay offline.") from None


def _failure(model: str, error: Any) -> ModelRefused | ModelUnreachable:
    code = error.code
    message = " ".join(str(error.message or error.status or "no reason given").split())[:300]
    what = f"Gemini answers {code}: {message}"
    if code == 429:
        what += f" (the rate limit, after {ATTEMPTS} attempts)"
        return ModelUnreachable(model, what, "Wait a minute, or raise the quota.")
    if code == 408 or code >= 500:
        return ModelUnreachable(model, what, "Try again later, or unset GEMINI_API_KEY to stay offline.")
    if code == 404:
        what = f"there is no such model ({message})"
        return ModelRefused(model, what, "Set TAXI_CHAT_MODEL or TAXI_EMBEDDING_MODEL.")
    if code in (401, 403) or "api key" in message.lower():
        return ModelRefused("GEMINI_API_KEY", f"the key is not accepted ({message})", f"Make one at {KEYS}.")
    return ModelRefused(model, what, "Ask a shorter question." if "token" in message.lower() else "")


def _text_of(response: "GenerateContentResponse", model: str) -> str:
    text = (response.text or "").strip()
    if text:
        return text
    feedback = response.prompt_feedback
    reasons = [feedback and feedback.block_reason, *(each.finish_reason for each in response.candidates or [])]
    reason = next((reason.value for reason in reasons if reason), "no reason given")
    raise ModelRefused(model, f"it gave no answer: {reason}", "Rephrase the question.")


def configured_model() -> Gemini | None:
    """Return the model of the settings, or None without a key for it."""
    chosen = settings()
    if chosen.gemini_api_key is None:
        return None
    return Gemini(chosen.gemini_api_key, chosen.chat_model, chosen.embedding_model)

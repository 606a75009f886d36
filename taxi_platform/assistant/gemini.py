"""Google's Gemini as the language model, through the google-genai library. Prompts do not belong here."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from taxi_platform.assistant.model import ModelRefused, ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.errors import shortened
from taxi_platform.retries import LANGUAGE_MODEL, RetryPolicy
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from google.genai import Client

DIMENSIONS = 768  # of 3,072; a quarter of the space, and by Google's measurements less than 1 % worse
TIMEOUT = 60.0  # seconds for one attempt; a thinking model may take half of that
KEYS = "https://aistudio.google.com/apikey"
_TASKS = {"passage": "RETRIEVAL_DOCUMENT", "question": "RETRIEVAL_QUERY"}


@dataclass
class Gemini:
    """A ``LanguageModel`` served by Google; its client retries after 408, 429, 5xx and broken connections."""

    key: SecretStr
    name: str
    embedding_name: str
    timeout: float = TIMEOUT
    retries: RetryPolicy = LANGUAGE_MODEL

    def answer(self, prompt: Prompt) -> str:
        """Return the model's answer, as ``LanguageModel.answer`` promises."""
        from google.genai.types import GenerateContentConfig

        config = GenerateContentConfig(
            system_instruction=prompt.instructions,
            temperature=0.2,
            response_mime_type="application/json" if prompt.shape else None,
            response_schema=prompt.shape,
        )
        client = self._client
        with _failures(self.name, self.retries):
            response = client.models.generate_content(model=self.name, contents=prompt.text, config=config)
        text = (response.text or "").strip()
        if not text:
            feedback = response.prompt_feedback
            reasons = [feedback and feedback.block_reason, *(each.finish_reason for each in response.candidates or [])]
            reason = next((reason.value for reason in reasons if reason), "no reason given")
            raise ModelRefused(self.name, f"it gave no answer: {reason}", "Rephrase the question.")
        return text

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """Return vectors of ``DIMENSIONS`` numbers for at most a hundred texts, the service's limit."""
        from google.genai.types import EmbedContentConfig

        name, contents, client = self.embedding_name, list(texts), self._client
        config = EmbedContentConfig(task_type=_TASKS[purpose], output_dimensionality=DIMENSIONS)
        with _failures(name, self.retries):
            response = client.models.embed_content(model=name, contents=cast("Any", contents), config=config)
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
        policy = self.retries
        retries = HttpRetryOptions(
            attempts=policy.attempts,
            initial_delay=policy.first_wait,
            max_delay=policy.longest_wait + policy.jitter,  # the client counts the jitter in
            exp_base=policy.factor,
            jitter=policy.jitter,
        )
        options = HttpOptions(timeout=round(self.timeout * 1000), retry_options=retries)
        return Client(api_key=key, http_options=options)


@contextmanager
def _failures(model: str, policy: RetryPolicy) -> Generator[None]:
    """Turn the failures of a request, which has been retried, into our errors."""
    from google.genai.errors import APIError

    try:
        yield
    except APIError as error:
        message = shortened(str(error.message or error.status or "no reason given"))
        what = f"Gemini answers {error.code}: {message}"
        if error.code in (408, 429) or error.code >= 500:
            advice = "Try again later, raise the quota, or unset GEMINI_API_KEY to stay offline."
            raise ModelUnreachable(model, f"{what} (after {policy.attempts} attempts)", advice) from None
        if error.code in (401, 403) or "api key" in message.lower():
            raise ModelRefused(
                "GEMINI_API_KEY", f"the key is not accepted ({message})", f"Make one at {KEYS}."
            ) from None
        raise ModelRefused(model, what, "Correct TAXI_CHAT_MODEL or TAXI_EMBEDDING_MODEL, or ask otherwise.") from None
    except Exception as error:  # of whichever HTTP library google-genai uses, or of an answer that is not Gemini's
        what = f"it gave no readable answer ({type(error).__name__}: {shortened(str(error))})"
        advice = "Check the network, or unset GEMINI_API_KEY to stay offline."
        raise ModelUnreachable(model, what, advice) from None


def configured_model(settings: Settings) -> Gemini | None:
    """Return the model of the settings, or None without a key for it."""
    if settings.gemini_api_key is None:
        return None
    return Gemini(settings.gemini_api_key, settings.chat_model, settings.embedding_model)

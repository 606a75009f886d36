"""Gemini through the official client, over HTTP: what is sent, and which error each failure becomes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from taxi_platform.assistant.ask import Statement
from taxi_platform.assistant.gemini import Gemini
from taxi_platform.assistant.model import ModelRefused, ModelUnreachable, Prompt
from taxi_platform.retries import LANGUAGE_MODEL
from taxi_platform_tests.support.gemini_server import GeminiServer, Response, refused

ATTEMPTS = 4
QUICK = replace(LANGUAGE_MODEL, first_wait=0.01, longest_wait=0.04, jitter=0.005)
PROMPT = Prompt("Be brief.", "What is new?")
BAD_KEY = refused(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
TOO_LONG = refused(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        yield server


def gemini(timeout: float = 10.0, key: str = "k-123") -> Gemini:
    return Gemini(SecretStr(key), "gemini-2.5-flash", "gemini-embedding-001", timeout=timeout, retries=QUICK)


def test_a_question_is_sent_apart_from_its_instructions_and_the_key_in_a_header(server: GeminiServer) -> None:
    assert gemini().answer(PROMPT) == "An answer [1]."
    (request,) = server.requests
    assert request.path.endswith("/models/gemini-2.5-flash:generateContent")
    assert request.key == "k-123"
    assert "k-123" not in request.path
    assert request.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert [content["parts"] for content in request.body["contents"]] == [[{"text": "What is new?"}]]


def test_an_answer_can_be_requested_as_json_with_a_schema(server: GeminiServer) -> None:
    gemini().answer(Prompt("Be brief.", "What is new?", Statement))
    asked = server.requests[0].body["generationConfig"]
    assert asked["responseMimeType"] == "application/json"
    assert set(asked["responseSchema"]["properties"]) == {"statement", "reason"}


def test_texts_are_embedded_for_their_purpose(server: GeminiServer) -> None:
    assert len(gemini().embed(["abc"] * 100, "passage")) == 100
    gemini().embed(["abc"], "question")
    assert [request.body["requests"][0]["taskType"] for request in server.requests] == [
        "RETRIEVAL_DOCUMENT",
        "RETRIEVAL_QUERY",
    ]


@pytest.mark.parametrize("transient", [refused(429, "RESOURCE_EXHAUSTED"), refused(503, "UNAVAILABLE")], ids=str)
def test_a_transient_failure_is_tried_again(transient: Response, server: GeminiServer) -> None:
    server.answers.extend([transient] * (ATTEMPTS - 1))
    assert gemini().answer(PROMPT) == "An answer [1]."
    assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "failure", "reason"),
    [
        (
            refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded"),
            ModelUnreachable,
            "Quota exceeded .after 4 attempts",
        ),
        (refused(500, "INTERNAL"), ModelUnreachable, "answers 500"),
        (Response(pause=1.0, body={}), ModelUnreachable, "no readable answer .ReadTimeout"),
    ],
    ids=["rate limit", "server error", "time-out"],
)
def test_a_long_outage_is_a_transient_error(
    answer: Response, failure: type[Exception], reason: str, server: GeminiServer
) -> None:
    server.answers.extend([answer] * ATTEMPTS)
    with pytest.raises(failure, match=reason):
        gemini(timeout=0.4).answer(PROMPT)
    assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "failure", "reason"),
    [
        (refused(404, "NOT_FOUND", "models/x is not found"), ModelRefused, "is not found. Correct TAXI_CHAT_MODEL"),
        (BAD_KEY, ModelRefused, "GEMINI_API_KEY: the key is not accepted"),
        (refused(403, "PERMISSION_DENIED", "leaked"), ModelRefused, "GEMINI_API_KEY: the key is not accepted"),
        (TOO_LONG, ModelRefused, "exceeds the maximum number of tokens"),
        (Response(body={"promptFeedback": {"blockReason": "SAFETY"}}), ModelRefused, "no answer: SAFETY"),
        (Response(body={"candidates": [{"finishReason": "RECITATION"}]}), ModelRefused, "no answer: RECITATION"),
        (Response(body={}), ModelRefused, "no answer"),
        (Response(body=b"<html>a proxy's page</html>"), ModelUnreachable, "no readable answer"),
    ],
    ids=["unknown model", "bad key", "denied", "too long", "blocked", "stopped", "empty", "not JSON"],
)
def test_a_refusal_is_explained_and_not_tried_again(
    answer: Response, failure: type[Exception], reason: str, server: GeminiServer
) -> None:
    server.answers.append(answer)
    with pytest.raises(failure, match=reason) as raised:
        gemini().answer(PROMPT)
    assert len(server.requests) == 1
    assert "k-123" not in str(raised.value)


@pytest.mark.parametrize("key", ["schlüssel", "a b", "a\nb", " "])
def test_a_malformed_key_is_refused_without_a_request(key: str, server: GeminiServer) -> None:
    with pytest.raises(ModelRefused, match="GEMINI_API_KEY: it is not a key") as raised:
        gemini(key=key).answer(PROMPT)
    assert server.requests == []
    assert key.strip() == "" or key not in str(raised.value)


def test_a_line_break_after_a_key_does_not_matter(server: GeminiServer) -> None:
    assert gemini(key="k-123\n").answer(PROMPT) == "An answer [1]."


def test_a_missing_vector_is_an_error(server: GeminiServer) -> None:
    server.answers.append(Response(body={"embeddings": [{"values": [1.0]}]}))
    with pytest.raises(ModelRefused, match="1 vectors for 2 texts"):
        gemini().embed(["a", "b"], "passage")


def test_a_server_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer() as gone:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gone.url)
    with pytest.raises(ModelUnreachable, match="no readable answer"):
        gemini().answer(PROMPT)

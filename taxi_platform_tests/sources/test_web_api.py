"""Requests for JSON to a web API: which responses are accepted, and how requests fail."""

import json

import pytest

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.retries import RetryPolicy
from taxi_platform.sources import web_api as api
from taxi_platform.sources.web_api import Api
from taxi_platform_tests.support.trip_server import Answer, Published, TripServer

PATH = "/v1/things"
GOOD = json.dumps({"things": [1, 2, 3]}).encode()
QUICK = RetryPolicy(attempts=3, first_wait=0.01, longest_wait=0.01, longest_retry_after=0.5)


def make_api(read_timeout: float = 10) -> Api:
    return Api("the things", "Try again later.", "There are none.", retries=QUICK, timeouts=(10, read_timeout))


def failure(server: TripServer, kind: type[TaxiError], client: Api | None = None) -> str:
    with pytest.raises(kind) as raised:
        (client or make_api()).ask(server.url + PATH)
    assert type(raised.value) is kind
    return str(raised.value)


def test_a_response_is_parsed_as_json(server: TripServer) -> None:
    server.publish(PATH, GOOD)
    assert make_api().ask(server.url + PATH) == {"things": [1, 2, 3]}


def test_transient_failures_are_retried_and_logged(server: TripServer, log_lines: list[str]) -> None:
    server.publish(PATH, GOOD)
    server.script(PATH, Answer(status=503), Answer(status=429, headers={"Retry-After": "0"}))
    assert make_api().ask(server.url + PATH)["things"] == [1, 2, 3]
    assert [line.partition(";")[0] for line in log_lines] == [
        f"things: {server.url}{PATH} could not be read: the server answers 503 Service Unavailable",
        f"things: {server.url}{PATH} could not be read: the server answers 429 Too Many Requests",
    ]


def test_a_response_that_is_cut_off_is_requested_again(server: TripServer) -> None:
    server.publish(PATH, GOOD)
    server.script(PATH, Answer(cut_after=7), Answer(cut_after=7, reset=True))
    assert make_api().ask(server.url + PATH)["things"] == [1, 2, 3]
    assert len(server.requests) == 3


def test_a_server_that_stays_down_is_given_up_after_some_attempts(server: TripServer) -> None:
    server.publish(PATH, GOOD)
    server.script(PATH, *[Answer(status=500)] * 9)
    message = failure(server, SourceUnreachable)
    assert "the server answers 500 Internal Server Error. Try again later." in message
    assert message.startswith("the things: ")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (404, NotPublished, "There are none."),
        (410, NotPublished, "There are none."),
        (401, AccessDenied, "Try again later."),
        (403, AccessDenied, "Try again later."),
        (204, DamagedFile, "Try again later."),
    ],
)
def test_a_final_response_is_reported_with_the_advice_of_the_api_and_not_retried(
    server: TripServer, status: int, kind: type[TaxiError], advice: str
) -> None:
    server.script(PATH, *[Answer(status=status)] * 3)
    message = failure(server, kind)
    assert f"answers {status}" in message
    assert message.endswith(advice)
    assert "TAXI_SOURCE" not in message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>Log in</html>", GOOD[:-1], b'{"price": NaN}', b"\xff\xfe", b"[" * 100_000, b"1 2"]
)
def test_a_response_that_is_not_json_is_described_and_not_quoted(server: TripServer, body: bytes) -> None:
    server.publish(PATH, body)
    message = failure(server, DamagedFile)
    assert "is not JSON, or only the beginning of it" in message
    assert "Log in" not in message
    assert len(message) < 500


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_response_that_is_too_large_is_refused(
    server: TripServer, tells_length: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "LARGEST", 1024 * 1024)
    server.publish(PATH, Published(b'"' + b"x" * 9_000_000 + b'"', tells_length=tells_length))
    assert "answers with more than 1 MiB" in failure(server, DamagedFile)


@pytest.mark.parametrize("address", ["", "ftp://host/x", "dummyjson.com/products", "http://"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises((InvalidSetting, SourceUnreachable)):
        make_api().ask(address)


def test_a_password_in_the_address_is_sent_and_not_shown(server: TripServer) -> None:
    with pytest.raises(NotPublished) as raised:
        make_api().ask(server.url.replace("//", "//ann:pa55word@") + PATH)
    assert "pa55word" not in str(raised.value)
    assert server.requests[0].headers["authorization"].startswith("Basic ")

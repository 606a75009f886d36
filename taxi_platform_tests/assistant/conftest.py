"""A server with the model's API, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from taxi_platform_tests.support.gemini_server import GeminiServer


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    """Yield a server whose answers the test sets; no key is set yet."""
    with GeminiServer(reply="There are 265 [1].") as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        yield server

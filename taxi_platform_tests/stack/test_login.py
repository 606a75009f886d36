"""Profile ``auth``: nobody sees the web UI without a log-in, and a viewer changes nothing."""

import pytest
import requests

from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.users import CAN_LOG_IN, OPERATOR, VIEWER

pytestmark = pytest.mark.skipif(not CAN_LOG_IN, reason="wget, of the log-in's health check, is not installed")
ALLOWED = "{ permissions { permission value } }"


def allowed(stack: Stack, user: tuple[str, str]) -> set[str]:
    """Return what the web server permits a user."""
    answer = requests.post(stack.url(8080) + "/graphql", json={"query": ALLOWED}, auth=user, timeout=180)
    return {one["permission"] for one in answer.json()["data"]["permissions"] if one["value"]}


def test_the_operator_may_launch_runs_and_a_viewer_may_only_read(stack: Stack) -> None:
    assert {"launch_pipeline_execution", "launch_partition_backfill"} <= allowed(stack, OPERATOR)
    assert allowed(stack, VIEWER) == set()
    page = requests.get(stack.url(8080), auth=VIEWER, timeout=180)
    assert (page.status_code, "dagster" in page.text.lower()) == (200, True)


@pytest.mark.parametrize("user", [None, (OPERATOR[0], "guess"), ("somebody", OPERATOR[1]), (VIEWER[0], OPERATOR[1])])
@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info"])
def test_nobody_else_sees_anything(stack: Stack, user: tuple[str, str] | None, path: str) -> None:
    answer = requests.get(stack.url(8080) + path, auth=user, timeout=180)
    assert answer.status_code == 401
    assert "basic" in answer.headers["WWW-Authenticate"].lower()
    assert answer.content == b""


def test_the_health_check_of_the_log_in_needs_no_password(stack: Stack) -> None:
    assert requests.get(stack.url(8080) + "/health", timeout=180).status_code == 204

"""Which failed runs are reported, by what Dagster 1.13 stores of them, and what a message contains."""

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.ledger.failures import StepReason
from taxi_platform.operations.alerts import DECISION_SECONDS, MOST_BODY, RETRY_SECONDS, Message, decide, describe

WEB = "https://dagster.example"
LACKING = "green_tripdata_2019-03.csv.gz: the source does not have it. Choose another month."


def about(*reasons: StepReason, partition: str = "2019-03", **tags: str) -> Message:
    known = {"taxi": "green", "dagster/partition": partition, **tags}
    return describe(dg.DagsterRun(job_name="job", run_id="a1b2", tags=known), reasons, True, web_url=WEB, secrets=[])


def test_a_message_has_a_few_lines() -> None:
    message = about(StepReason("green_tripdata", LACKING), trigger="backfill", **{"dagster/retry_number": "2"})
    assert message.title == "taxi_platform: green 2019-03 failed"
    assert message.body.splitlines() == [
        f"green_tripdata: {LACKING}",
        "Retries before: 2",
        "Started by: backfill",
        "Run: https://dagster.example/runs/a1b2",
    ]


def test_a_message_about_a_range_has_the_reason_of_each_failed_month() -> None:
    months = {f"2019-{month:02d}": LACKING for month in range(1, 13)}
    text = "12 of 13 months of green failed. The other one is in place and recorded.\n2019-01: not published\n…"
    lines = about(StepReason("green_tripdata", text, months)).body.splitlines()
    assert lines[0] == "green_tripdata: 12 of 13 months of green failed. The other one is in place and recorded."
    assert lines[1:13] == [f"  2019-{month:02d}: {LACKING}" for month in range(1, 13)]


def test_passwords_are_removed_before_a_text_is_cut() -> None:
    url = "postgresql://taxi:hunter22@db/x"
    for filler in range(260, 320):
        assert "hunter" not in about(StepReason("t", "x" * filler + url)).body


@given(st.lists(st.text(max_size=3000), min_size=1, max_size=30), st.text(max_size=300))
def test_a_message_of_any_content_has_a_limited_length_and_ends_with_the_link(texts: list[str], subject: str) -> None:
    months = {f"2019-{month:02d}": texts[0] for month in range(1, 13)}
    message = about(*(StepReason("step", text, months) for text in texts), partition=subject)
    assert len(message.title) <= 120
    assert len(message.body) <= MOST_BODY
    assert message.body.splitlines()[-1].startswith("Run: https://")


# Retries

FAILURE, SUCCESS, STARTED = (dg.DagsterRunStatus[name] for name in ("FAILURE", "SUCCESS", "STARTED"))
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("taxi_platform"), "__repository__"), "job")
WAITING = {"will_retry": "true"}
RETRIED = {"will_retry": "true", "auto_retry_run_id": "second"}


def failed_run(
    status: dg.DagsterRunStatus = FAILURE, origin: RemoteJobOrigin | None = ORIGIN, **tags: str
) -> dg.DagsterRun:
    named = {f"dagster/{name}": value for name, value in tags.items()}
    return dg.DagsterRun(job_name="job", run_id="first", status=status, tags=named, remote_job_origin=origin)


def retry_of(run_id: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", run_id="second", parent_run_id=run_id, root_run_id=run_id)


@pytest.mark.parametrize(
    ("failed", "retry", "waited", "decision"),
    [
        (None, None, 0, "drop"),  # deleted
        (failed_run(SUCCESS), None, 0, "drop"),  # the monitor reported it as failed, but it succeeded
        (failed_run(STARTED), None, 0, "wait"),  # the event of the failure is stored, the status is not yet
        (failed_run(STARTED), None, DECISION_SECONDS, "drop"),
        (failed_run(), None, 0, "wait"),  # Dagster has not decided yet
        (failed_run(), None, DECISION_SECONDS, "report"),
        (failed_run(will_retry="false"), None, 0, "report"),
        (failed_run(**WAITING), None, 0, "wait"),
        (failed_run(**WAITING), None, RETRY_SECONDS - 1, "wait"),
        (failed_run(**WAITING), None, RETRY_SECONDS, "report"),  # the retry was announced and never started
        (failed_run(origin=None, **WAITING), None, 0, "report"),  # launched by a command: Dagster cannot retry it
        (failed_run(**RETRIED), None, 0, "report"),  # the retry has been deleted
        (failed_run(**RETRIED), "first", 0, "drop"),
        (failed_run(**RETRIED), "another", 0, "report"),  # re-executed by hand, with the tags of the other run
    ],
)
def test_a_failure_is_reported_when_no_retry_is_coming(
    failed: dg.DagsterRun | None, retry: str | None, waited: float, decision: str
) -> None:
    assert decide(failed, retry_of(retry) if retry else None, retries=True, waited=waited) == decision


def test_without_retries_a_failure_is_reported_at_once() -> None:
    assert decide(failed_run(), None, retries=False, waited=0) == "report"

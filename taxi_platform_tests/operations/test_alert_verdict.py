"""Whether a failed run is told, waits or is dropped, by what Dagster 1.13 writes, in the order in which it comes."""

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from taxi_platform.operations.alerts.verdict import DECISION_PATIENCE, RETRY_PATIENCE, Verdict, verdict_on

FAILURE, SUCCESS, STARTED = (dg.DagsterRunStatus[name] for name in ("FAILURE", "SUCCESS", "STARTED"))
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("taxi_platform"), "__repository__"), "job")
WAITING = {"will_retry": "true"}
RETRIED = {"will_retry": "true", "auto_retry_run_id": "second"}


def run(status: dg.DagsterRunStatus = FAILURE, origin: RemoteJobOrigin | None = ORIGIN, **tags: str) -> dg.DagsterRun:
    named = {f"dagster/{name}": value for name, value in tags.items()}
    return dg.DagsterRun(job_name="job", run_id="first", status=status, tags=named, remote_job_origin=origin)


def retry_of(run_id: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", run_id="second", parent_run_id=run_id, root_run_id=run_id)


@pytest.mark.parametrize(
    ("failed", "waited", "verdict"),
    [
        (None, 0, Verdict.DROP),  # deleted
        (run(SUCCESS), 0, Verdict.DROP),  # given up by the monitor, and yet it lived
        (run(STARTED), 0, Verdict.WAIT),  # the event is there, the status not yet
        (run(STARTED), DECISION_PATIENCE, Verdict.DROP),
        (run(), 0, Verdict.WAIT),  # nobody has decided yet
        (run(), DECISION_PATIENCE, Verdict.TELL),
        (run(will_retry="false"), 0, Verdict.TELL),
        (run(**WAITING), 0, Verdict.WAIT),
        (run(**WAITING), RETRY_PATIENCE - 1, Verdict.WAIT),
        (run(**WAITING), RETRY_PATIENCE, Verdict.TELL),  # promised, and it never came
        (run(origin=None, **WAITING), 0, Verdict.TELL),  # begun by a command: Dagster cannot start it again
        (run(**RETRIED), 0, Verdict.TELL),  # the retry has been deleted
    ],
)
def test_a_failure_is_told_when_no_retry_is_coming(
    failed: dg.DagsterRun | None, waited: float, verdict: Verdict
) -> None:
    assert verdict_on(failed, None, retries=True, waited=waited) is verdict


def test_without_retries_a_failure_is_told_at_once() -> None:
    assert verdict_on(run(), None, retries=False, waited=0) is Verdict.TELL


def test_a_retry_speaks_for_the_run_that_it_repeats() -> None:
    assert verdict_on(run(**RETRIED), retry_of("first"), retries=True, waited=0) is Verdict.DROP


def test_a_run_that_carries_the_tags_of_the_one_that_it_repeats_is_told() -> None:
    assert verdict_on(run(**RETRIED), retry_of("another"), retries=True, waited=0) is Verdict.TELL

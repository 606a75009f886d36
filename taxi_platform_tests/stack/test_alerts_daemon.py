"""The alert as the daemon runs it: the queue, run monitoring, retries, the sensor loop, and killed processes."""

import re

import dagster as dg
import pytest

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.alert_receiver import AlertReceiver
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped
from taxi_platform_tests.support.trips_database import TripsDatabase
from taxi_platform_tests.support.year import path

ONCE, ALWAYS, NEVER_PUBLISHED = "2019-10", "2019-11", "2019-12"
SENSOR = "run_failure_alert"


@pytest.fixture
def published(source: TripServer) -> None:
    for month in (ONCE, ALWAYS):
        source.publish(path(GREEN, Month.parse(month)), zipped(text(GREEN, rows(GREEN, 10))))


def killed(deployment: Deployment, run_id: str) -> str:
    """Kill the process of a run that waits for its month, wait until the run has failed, and return its id."""
    deployment.wait_until(lambda: "another process is loading this month" in deployment.messages(run_id))
    deployment.worker(run_id).kill()
    assert deployment.wait_for(run_id).status == dg.DagsterRunStatus.FAILURE
    return run_id


def retry_of(deployment: Deployment, run_id: str) -> str:
    """Return the id of the retry of a failed run."""
    deployment.wait_until(lambda: deployment.retries(run_id))
    return deployment.retries(run_id)[0].run_id


@pytest.mark.usefixtures("published")
def test_each_failure_is_one_message_unless_a_retry_succeeds(
    deployment: Deployment, trips: TripsDatabase, receiver: AlertReceiver
) -> None:
    def messages_about(*run_ids: str) -> list[dict[str, str]]:
        failures = [sent for sent in receiver.taken if sent["title"].endswith(" failed")]  # not a check's warning
        return [sent for sent in failures if any(run_id in sent["message"] for run_id in run_ids)]

    with trips.held(ONCE), trips.held(ALWAYS):
        once, dies = (deployment.submit("green_tripdata", month) for month in (ONCE, ALWAYS))
        killed(deployment, once)
        retried = [killed(deployment, dies)]
        retried.append(killed(deployment, retry_of(deployment, dies)))
        last = killed(deployment, retry_of(deployment, retried[-1]))
    succeeded = retry_of(deployment, once)
    assert deployment.wait_for(succeeded).is_success
    refused = deployment.submit("green_tripdata", NEVER_PUBLISHED)
    deployment.wait_until(lambda: messages_about(last) and messages_about(refused))
    ticks = ticks_of(deployment.instance)
    deployment.wait_until(lambda: ticks_of(deployment.instance) > ticks + 1)

    (of_last,), (of_refused,) = messages_about(last), messages_about(refused)
    assert messages_about(once, succeeded, *retried) == []
    assert of_refused["title"] == f"taxi_platform: green {NEVER_PUBLISHED} failed"
    assert re.search(rf"green_tripdata_{NEVER_PUBLISHED}\.csv.*404", of_refused["message"])
    assert f"https://dagster.example/runs/{refused}" in of_refused["message"]
    assert of_last["title"] == f"taxi_platform: green {ALWAYS} failed"
    # Reported by the code server, which was the parent process, or by run monitoring, whichever is first.
    assert re.search(r"terminated by signal 9|Detected run worker status", of_last["message"])
    assert "Retries before: 2" in of_last["message"]


def ticks_of(instance: dg.DagsterInstance) -> int:
    states = [state for state in instance.all_instigator_state() if state.name == SENSOR]
    return len(instance.get_ticks(states[0].instigator_origin_id, states[0].selector_id)) if states else 0

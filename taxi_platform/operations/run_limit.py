"""A limit on how many runs of a job are executed at once, exact among all processes that share Dagster's state.

Dagster's own limits let runs wait in the queue. This one can also refuse a run, and holds for runs that never were in
the queue, such as those of a command.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import dagster as dg

from taxi_platform.dagster_private import state_database_url
from taxi_platform.errors import InvalidSetting, TooManyRuns
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.retries import TURN

WhenFull = Literal["fail", "queue"]

ADMITTED = "taxi_platform/admitted"
"""The tag of a run that counts. Its value is the run's own id, because a retry inherits the tags of its run."""


def admit(instance: dg.DagsterInstance, run: dg.DagsterRun, limit: int, when_full: WhenFull, advice: str) -> None:
    """Let a run go on if fewer runs of its job than the limit are admitted and still executed.

    Else fail at once with the advice, or wait until one of them has ended.

    Raises:
        TooManyRuns: the limit is reached, and ``when_full`` is ``fail``.
        DatabaseUnreachable: the database of Dagster's state does not answer.
    """
    subject = f"{run.job_name} (at most {limit} runs at once)"
    if when_full == "queue":
        waiting_for = f"{subject}: that many are at it already; waiting until one ends"
        TURN.wait_until(lambda: _try_to_admit(instance, run, limit), waiting_for=waiting_for)
    elif not _try_to_admit(instance, run, limit):
        raise TooManyRuns(subject, "that many are at it already", advice)


def when_full(text: str, tag: str) -> WhenFull:
    """Return what the tag of a run says about a job that has reached its limit.

    Raises:
        InvalidSetting: the tag has another value.
    """
    if text == "fail" or text == "queue":
        return text
    raise InvalidSetting(f"the tag {tag}={text}", "it is neither fail nor queue", "Write one of the two.")


def _try_to_admit(instance: dg.DagsterInstance, run: dg.DagsterRun, limit: int) -> bool:
    with _lock(instance, run.job_name):
        executed = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
        records = instance.get_run_records(dg.RunsFilter(job_name=run.job_name, statuses=executed))
        runs = [record.dagster_run for record in records]
        admitted = {each.run_id for each in runs if each.tags.get(ADMITTED) == each.run_id}
        # A run whose process was killed counts until somebody notices: on this machine at once.
        if run.run_id not in admitted and len(admitted - abandoned_runs(instance, records)) >= limit:
            return False
        instance.add_run_tags(run.run_id, {ADMITTED: run.run_id})
        return True


@contextmanager
def _lock(instance: dg.DagsterInstance, job: str) -> Generator[None]:
    """Count alone, by an advisory lock in the database of the state. No other process shares a state in memory."""
    url = state_database_url(instance)
    if url is None:
        yield
        return
    from sqlalchemy import make_url

    from taxi_platform.postgres.connection import connect, execute

    with connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        execute(connection, "select pg_advisory_lock(hashtextextended(%s, 0))", (f"runs of {job}",))
        yield  # the lock ends with the connection

"""A limit on how many runs of a job are executed at once, exact among all processes that share Dagster's state.

Dagster's own limits let runs wait in the queue. This one can also refuse a run, and holds for runs that never were in
the queue, such as those of a command.
"""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from taxi_platform.dagster_private import state_database_url
from taxi_platform.errors import InvalidSetting, TooManyRuns
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.retries import TURN

ADMITTED = "taxi_platform/admitted"
"""The tag of a run that counts. Its value is the run's own id, because a retry inherits the tags of its run."""


def admit(instance: dg.DagsterInstance, run: dg.DagsterRun, *, at_once: int, tag: str) -> None:
    """Admit a run if fewer than ``at_once`` of its job are admitted and still executed; else fail, or wait for one.

    The run's ``tag`` says whether it should ``fail`` or wait in a ``queue``. Every step of the job calls this, because
    a run may be started in the middle.

    Raises:
        dagster.Failure: the limit is reached, or the tag has another value.
    """
    subject = f"{run.job_name} (at most {at_once} runs at once)"
    full, when_full = "that many are running already", run.tags.get(tag, "fail")
    with errors_as_failures():
        if when_full == "queue":
            waiting_for = f"{subject}: {full}; waiting until one ends"
            TURN.wait_until(lambda: _try_to_admit(instance, run, at_once), waiting_for=waiting_for)
        elif when_full != "fail":
            what = "it is neither fail nor queue"
            raise InvalidSetting(f"the tag {tag}={when_full}", what, "Write one of the two.")
        elif not _try_to_admit(instance, run, at_once):
            advice = f"Start it again when one of them has ended, or with the tag {tag}=queue to let it wait."
            raise TooManyRuns(subject, full, advice)


def _try_to_admit(instance: dg.DagsterInstance, run: dg.DagsterRun, at_once: int) -> bool:
    with _lock(instance, run.job_name):
        executed = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
        records = instance.get_run_records(dg.RunsFilter(job_name=run.job_name, statuses=executed))
        runs = [record.dagster_run for record in records]
        admitted = {each.run_id for each in runs if each.tags.get(ADMITTED) == each.run_id}
        # A run whose process was killed counts until somebody notices: on this machine at once.
        if run.run_id not in admitted and len(admitted - abandoned_runs(instance, records)) >= at_once:
            return False
        instance.add_run_tags(run.run_id, {ADMITTED: run.run_id})
        return True


@contextmanager
def _lock(instance: dg.DagsterInstance, job: str) -> Generator[None]:
    """Let one process count at a time, by a lock in the state's database. A state in memory has only one process."""
    url = state_database_url(instance)
    if url is None:
        yield
        return
    from sqlalchemy import make_url

    from taxi_platform.postgres.connection import connect, execute

    with connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        execute(connection, "select pg_advisory_lock(hashtextextended(%s, 0))", (f"runs of {job}",))
        yield  # the lock ends with the connection

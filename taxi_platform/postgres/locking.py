"""Who may work on a month, and how long one waits for readers. What is done under a lock does not belong here."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from taxi_platform.errors import DatabaseInterrupted
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import execute
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

logger = logging.getLogger(__name__)

PATIENCE = 900.0  # seconds: the largest month loads in a minute or two, and readers' transactions end by then
SHORTEST_WAIT, LONGEST_WAIT = 0.05, 1.0  # seconds between two looks at a month's lock


def lock_month(connection: "Connection", service: Service, month: Month) -> None:
    """Take the month's lock, which one process in all can hold, until the connection ends.

    Raises:
        DatabaseInterrupted: another process held the lock for a quarter of an hour.
    """
    name = tables.partition_of(service, month)
    deadline = time.monotonic() + PATIENCE
    wait = SHORTEST_WAIT
    while not try_lock(connection, name):
        if wait == SHORTEST_WAIT:
            logger.info(f"{name}: another process is loading this month; waiting for it")
        if time.monotonic() > deadline:
            raise DatabaseInterrupted(name, "another process has been loading this month for a quarter of an hour")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


def try_lock(connection: "Connection", name: str) -> bool:
    """Take the advisory lock of a partition if it is free."""
    return execute(connection, "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone() == (True,)


def unlock(connection: "Connection", name: str) -> None:
    """Give the advisory lock of a partition back."""
    execute(connection, "select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


class OlderSnapshot(DatabaseInterrupted):
    """A transaction would see a month empty if its table were exchanged now."""


def refuse_older_snapshots(connection: "Connection", name: str, copied: datetime) -> None:
    """Pass when every open snapshot sees the rows that were copied until then.

    Partitions are exchanged for everybody at once, rows appear only to snapshots taken after they were written. A
    ``repeatable read`` transaction such as pg_dump's, begun before the COPY ended, would find the old table gone and
    the new one empty. Transactions of other users are seen by superusers and members of pg_read_all_stats only.

    Raises:
        OlderSnapshot: names a session whose transaction is older.
    """
    row = execute(connection, tables.OLDER_SNAPSHOT, (copied,)).fetchone()
    if row is not None:
        pid, user, since = row
        raise OlderSnapshot(
            name,
            f"session {pid} of user {user} is in a transaction since {since:%H:%M:%S} that would see the month empty",
            "The table is as it was; run again once that transaction has ended.",
        )


def with_patience(action: Callable[[], None], subject: str) -> None:
    """Run a transaction that needs the table for itself, again and again until no reader is in its way.

    Each attempt waits only briefly, because readers that come meanwhile queue behind it.

    Raises:
        psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, OlderSnapshot: readers held on for a quarter
            of an hour.
    """
    from psycopg.errors import DeadlockDetected, LockNotAvailable
    from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

    def tell(state: RetryCallState) -> None:
        logger.info(f"{subject}: waiting for readers of the old month before the swap (try {state.attempt_number})")

    Retrying(
        retry=retry_if_exception_type((LockNotAvailable, DeadlockDetected, OlderSnapshot)),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        stop=stop_after_delay(PATIENCE),
        before_sleep=tell,
        reraise=True,
    )(action)

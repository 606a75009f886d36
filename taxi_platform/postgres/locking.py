"""Who may write a month, and how the swap waits for readers. What is done under a lock does not belong here."""

from collections.abc import Callable
from datetime import datetime

from taxi_platform.errors import DatabaseInterrupted
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, execute
from taxi_platform.retries import MONTH_LOCK, SWAP
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def lock_month(connection: Connection, service: Service, month: Month) -> None:
    """Take the month's lock, which only one process can hold, until the connection ends.

    Raises:
        DatabaseInterrupted: another process held the lock for a quarter of an hour.
    """
    name = tables.partition_of(service, month)
    waiting = f"{name}: another process is loading this month; waiting for it"
    if not MONTH_LOCK.wait_until(lambda: try_lock(connection, name), waiting_for=waiting):
        raise DatabaseInterrupted(name, "another process has been loading this month for a quarter of an hour")


def try_lock(connection: Connection, name: str) -> bool:
    """Take the advisory lock of a partition if it is free, and return whether it was."""
    return execute(connection, "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone() == (True,)


def unlock(connection: Connection, name: str) -> None:
    """Release the advisory lock of a partition."""
    execute(connection, "select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


class OlderSnapshot(DatabaseInterrupted):
    """A transaction would see a month empty if its table were replaced now."""


def refuse_older_snapshots(connection: Connection, name: str, copied: datetime) -> None:
    """Raise ``OlderSnapshot`` unless all open snapshots see the rows copied by ``copied``.

    Partitions are replaced for everybody at once, but rows appear only to snapshots taken after they were written. A
    ``repeatable read`` transaction such as pg_dump's, begun before the COPY ended, would find the old table gone and
    the new one empty. Transactions of other users are seen by superusers and members of pg_read_all_stats only.

    Raises:
        OlderSnapshot: names a session whose transaction is older.
    """
    # Our own sessions read with snapshots that live as long as one statement, or write months that nobody reads yet.
    query = """
        select pid, usename, xact_start from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
        and backend_xmin is not null and xact_start < %s and application_name <> 'taxi_platform'
        limit 1"""
    for pid, user, since in execute(connection, query, (copied,)):
        raise OlderSnapshot(
            name,
            f"session {pid} of user {user} began a transaction at {since:%H:%M:%S} that would see the month empty",
            "The table is as it was; run again once that transaction has ended.",
        )


def when_readers_allow(action: Callable[[], None], subject: str) -> None:
    """Run a transaction that needs the table for itself, again and again until no reader is in its way.

    Each attempt waits only briefly, because readers that come in the meantime queue after it.

    Raises:
        LockNotAvailable, DeadlockDetected, OlderSnapshot: readers were in its way for a quarter of an hour.
    """
    from psycopg.errors import DeadlockDetected, LockNotAvailable

    def is_about_readers(error: BaseException) -> bool:
        return isinstance(error, (LockNotAvailable, DeadlockDetected, OlderSnapshot))

    waiting = f"{subject}: waiting for readers of the old month before the swap"
    SWAP.run(action, subject=waiting, is_transient=is_about_readers)

"""A lock of a dataset, for one build at a time: a table that expires when the process that made it is gone.

BigQuery has no locks, but creates a table only once. The holder extends the table's life while it works; a holder that
was killed cannot, so others wait for a few minutes at most.
"""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from taxi_platform.bigquery.clients import LABELS, Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.bigquery.tables import Tables, dataset_of
from taxi_platform.errors import TaxiError
from taxi_platform.retries import TURN

logger = logging.getLogger(__name__)

LIFE = timedelta(minutes=5)  # of a lock that nobody extends
EXTENDED_EVERY = 60.0  # seconds


@contextmanager
def exclusive(cloud: Cloud, name: str, waiting_for: str) -> Generator[None]:
    """Hold a lock of the dataset for the length of the block; wait for it as long as somebody else holds it.

    ``name`` is the table that is the lock, and ``waiting_for`` the line for the log.
    """
    lock = _Lock(cloud, name)
    TURN.wait_until(lock.try_to_take, waiting_for=waiting_for)
    ended = threading.Event()
    extending = threading.Thread(target=lock.extend_until, args=(ended,), daemon=True)
    extending.start()
    try:
        yield
    finally:
        ended.set()
        extending.join()
        lock.release()


class _Lock:
    """One holder's view of a lock: a table whose description begins with its holder."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        cloud = replace(cloud)  # with its own clients, because another thread extends the lock
        self._client: Any = cloud.bigquery
        self._tables = Tables(cloud)
        self._table = f"{dataset_of(cloud)}.{name}"
        self._holder = uuid4().hex
        self._options = cloud.bigquery_options(f"table {self._table}")

    def try_to_take(self) -> bool:
        """Return whether the lock is held now."""
        from google.api_core.exceptions import Conflict

        with google_errors(f"table {self._table}"):
            try:
                self._client.create_table(self._described(), **self._options)
            except Conflict:
                existing = self._tables.find(self._table)
                expires = (existing.description or "").rpartition(" until ")[2] if existing else ""
                if existing and existing.expires is None and expires < datetime.now(timezone.utc).isoformat():
                    self._client.delete_table(existing, not_found_ok=True)  # emulators keep tables for ever
                return self._is_ours(existing)  # the table was made, and the answer was lost
            return True

    def extend_until(self, ended: threading.Event) -> None:
        """Extend the life of the lock until the work has ended, or another holder has taken the expired lock."""
        while not ended.wait(EXTENDED_EVERY):
            try:
                if not self._is_ours(self._tables.find(self._table)):
                    logger.warning("%s: this process stood still for so long that its lock expired", self._table)
                    return
                with google_errors(f"table {self._table}"):
                    self._client.update_table(self._described(), ["expires", "description"], **self._options)
            except TaxiError as error:
                logger.warning("%s", error)

    def release(self) -> None:
        """Remove the lock unless another holder has it by now; where Google does not answer, it expires."""
        try:
            if self._is_ours(self._tables.find(self._table)):
                with google_errors(f"table {self._table}"):
                    self._client.delete_table(self._table, not_found_ok=True, **self._options)
        except TaxiError as error:
            logger.warning("%s", error)

    def _is_ours(self, table: Any) -> bool:
        return table is not None and (table.description or "").startswith(self._holder)

    def _described(self) -> Any:
        from google.cloud import bigquery

        table: Any = bigquery.Table(self._table, schema=[bigquery.SchemaField("held", "BOOLEAN")])
        table.labels = LABELS
        table.expires = datetime.now(timezone.utc) + LIFE
        table.description = f"{self._holder} until {table.expires.isoformat()}"
        return table

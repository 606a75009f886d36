"""One piece of work at a time in a dataset: a lock that is a table, and that expires when its holder is gone.

BigQuery has no locks, but creates a table only once. The holder extends the table's life while it works; a holder that
was killed cannot, so others wait for a few minutes at most. Emulators keep the lock of a killed holder.
"""

import logging
import threading
from collections.abc import Callable, Generator
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
    from google.api_core.exceptions import Conflict
    from google.cloud import bigquery

    cloud = replace(cloud)  # with its own clients, because another thread extends the lock
    client: Any = cloud.bigquery
    lock: Any = bigquery.Table(f"{dataset_of(cloud)}.{name}", schema=[bigquery.SchemaField("held", "BOOLEAN")])
    lock.labels, lock.description = LABELS, uuid4().hex  # so that the holder knows it again
    options = cloud.options(f"table {name}")

    def is_held() -> bool:
        found = Tables(cloud).find(f"{dataset_of(cloud)}.{name}")
        return found is not None and found.description == lock.description

    def take() -> bool:
        lock.expires = datetime.now(timezone.utc) + LIFE
        with google_errors(f"table {name}"):
            try:
                client.create_table(lock, **options)
            except Conflict:
                return is_held()  # the table was made, and the answer was lost
            return True

    def change(request: Callable[..., Any], *arguments: Any) -> None:
        """Send a request about the lock, unless another holder has it by now; without an answer, it expires."""
        try:
            with google_errors(f"table {name}"):
                if is_held():
                    request(lock, *arguments, **options)
        except TaxiError as error:
            logger.warning("%s", error)

    def extend() -> None:
        while not ended.wait(EXTENDED_EVERY):
            lock.expires = datetime.now(timezone.utc) + LIFE
            change(client.update_table, ["expires"])

    TURN.wait_until(take, waiting_for=waiting_for)
    ended = threading.Event()
    extending = threading.Thread(target=extend, daemon=True)
    extending.start()
    try:
        yield
    finally:
        ended.set()
        extending.join()
        change(client.delete_table)

"""The tables in BigQuery: their names and columns, derived from the contracts, and creating or finding them.

A service's table is partitioned by ``file_month``, because a row belongs to its file's month whenever the trip began,
so that a month can be replaced without touching the others. Within a partition, rows are sorted by pickup. The SQL that
fills and reads the tables is in ``statements``.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.clients import LABELS, Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.errors import CloudRefused, CloudUnavailable, SchemaMismatch
from taxi_platform.trips.columns import Column
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.headers import ADDED
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FILENAME, Service, column_comments

if TYPE_CHECKING:
    from google.cloud import bigquery

logger = logging.getLogger(__name__)

STAGING_HOURS = 24
PARTITION = "file_month"
VERSION = "file_version"
ROW_ID = "unique_row_id"
_SAME_TYPE = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def dataset_of(cloud: Cloud) -> str:
    """Return the dataset with its project, e.g. ``trips-123456.zoomcamp``."""
    return f"{cloud.project}.{cloud.dataset}"


def table_of(cloud: Cloud, service: Service) -> str:
    """Return the service's table, e.g. ``trips-123456.zoomcamp.green_tripdata``."""
    return f"{dataset_of(cloud)}.{service.table}"


def rejects_of(cloud: Cloud, service: Service) -> str:
    """Return the table of the service's bad rows, e.g. ``trips-123456.zoomcamp.green_tripdata_rejects``."""
    return f"{table_of(cloud, service)}_rejects"


def staging_of(table: str, month: Month, attempt: str) -> str:
    """Return the table that one attempt to load a month fills first; its name is unique."""
    return f"{table}_{month.year:04d}_{month.month:02d}_staging_{attempt}"


def partition_of(table: str, month: Month) -> str:
    """Return one month of a table, as a job's destination takes it, e.g. ``….green_tripdata$201903``."""
    return f"{table}${month.year:04d}{month.month:02d}"


@dataclass(frozen=True)
class Field:
    """One column of a table, its type spelled as the API spells it.

    All columns are nullable: BigQuery refuses to replace a partition by a query where the table has a required one.
    """

    name: str
    kind: str
    description: str = ""


_OF_EVERY_TABLE = (
    Field(PARTITION, "DATE", "The first day of the file's month, by which the table is partitioned."),
    Field(VERSION, "INTEGER", "Which version of the file, read by which contract, the row was made from."),
)


def trip_fields(service: Service, added: Iterable[Column] = ()) -> list[Field]:
    """Return the columns of a service's table: the course's, which file and version a row came from, and those added.

    Added columns came from files; the contract does not know them.
    """
    comments = column_comments(service)
    return [
        Field(ROW_ID, "STRING", comments["unique_row_id"]),
        Field("filename", "STRING", comments["filename"]),
        *(Field(column.name, column.bigquery, column.documentation) for column in service.columns),
        *_OF_EVERY_TABLE,
        *(Field(column.name, column.bigquery, column.documentation) for column in added),
    ]


def reject_fields() -> list[Field]:
    """Return the columns of the tables of bad rows."""
    return [Field("filename", "STRING", FILENAME), *staged_reject_fields(), *_OF_EVERY_TABLE]


def staged_fields(columns: Sequence[Column]) -> list[Field]:
    """Return the columns of a staging table: those of the file, in its order, all of them text."""
    return [Field(column.name, "STRING") for column in columns]


def staged_reject_fields() -> list[Field]:
    """Return the columns of the staging tables of bad rows."""
    return [
        Field("line", "INTEGER", "The number of its line in the uncompressed file; the header is line 1."),
        Field("text", "STRING", "The line as it is in the file."),
        Field("reason", "STRING", "Why it is not a trip."),
    ]


def clustering(service: Service) -> Sequence[str]:
    """Return the columns by which the rows of a month are sorted: what most questions filter by."""
    return [service.pickup, *(name for name in service.identity if name == "pulocationid")]


def fingerprint(service: Service) -> str:
    """Return a short hash of everything that decides which values a row has; a month of another one is reloaded."""
    text = repr([(column.name, column.bigquery, column.is_code) for column in service.first_columns])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version_of(service: Service, file: TripFile) -> int:
    """Return the number that marks a row of this very file under this contract: 64 bits of a SHA-256."""
    digest = hashlib.sha256(f"{file.sha256} {fingerprint(service)}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class Tables:
    """The tables as they are in BigQuery."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._client: Any = cloud.bigquery

    def ensure_trips(self, service: Service, added: Iterable[Column] = ()) -> list[str]:
        """Create a service's table unless it exists, with columns that files have added, as ``ensure`` does."""
        fields, filtered = trip_fields(service, added), self._cloud.require_partition_filter
        name = table_of(self._cloud, service)
        return self.ensure(name, fields, clustering(service), service.description, filtered=filtered)

    def ensure(
        self, name: str, fields: Sequence[Field], sorted_by: Sequence[str], description: str, *, filtered: bool = False
    ) -> list[str]:
        """Create a table that is partitioned by file month, unless it exists, and return its columns in its order.

        A table of an earlier version of the platform gets the columns and descriptions that it lacks, and its required
        columns become nullable; columns that files have added to it stay. With ``filtered``, BigQuery refuses queries
        that do not name months from now on.

        Raises:
            SchemaMismatch: there is a table of that name with other columns, partitions or sorting.
        """
        from google.api_core.exceptions import PreconditionFailed
        from google.cloud import bigquery

        table = self.find(name)
        if table is None:
            new = self._new(name, fields, description)
            new.time_partitioning = bigquery.TimePartitioning(bigquery.TimePartitioningType.MONTH, field=PARTITION)
            new.clustering_fields = list(sorted_by) or None
            new.require_partition_filter = filtered or None
            self._create(name, new)
            logger.info("table %s: created", name)
            table = self.find(name)
        existing = {field.name for field in table.schema}
        known = {field.name for field in fields}
        added_by_files = [
            Field(field.name, field.field_type, field.description)
            for field in table.schema
            if field.name not in known and (field.description or "").startswith(ADDED)
        ]
        fields = [*fields, *added_by_files]
        _check_layout(name, table, fields, sorted_by)
        if added := [field for field in fields if field.name not in existing]:
            jobs = Jobs(self._cloud, f"table {name}", name.rpartition(".")[2].removesuffix("_tripdata"))
            for field in added:  # one each, because emulators add only one column by a statement
                # In one statement with the description, by which later loads know that the column was added.
                column = f"{field.name} {field.kind} OPTIONS (description = {json.dumps(field.description)})"
                jobs.query("add_columns", f"ALTER TABLE `{name}` ADD COLUMN IF NOT EXISTS {column}")
            table = self.find(name)
        order = {field.name: place for place, field in enumerate(table.schema)}
        schema = api_schema(sorted(fields, key=lambda field: order.get(field.name, len(order))))
        wanted = {"schema": schema, **({"require_partition_filter": True} if filtered else {})}
        if changed := [key for key, value in wanted.items() if getattr(table, key) != value]:
            for key in changed:
                setattr(table, key, wanted[key])
            with google_errors(f"table {name}"):
                try:
                    self._client.update_table(table, changed, **self._options(name))
                except PreconditionFailed:  # another run has changed the table since it was read
                    return self.ensure(name, fields, sorted_by, description, filtered=filtered)
        return [field.name for field in schema]

    def find(self, name: str) -> Any:
        """Return the table as the API describes it; None if it does not exist."""
        from google.api_core.exceptions import NotFound

        with google_errors(f"table {name}"):
            try:
                return self._client.get_table(name, **self._options(name))
            except NotFound:
                return None

    def create_staging(self, name: str, fields: Sequence[Field]) -> None:
        """Create a table that BigQuery deletes after some hours."""
        table = self._new(name, fields, "A month that is being loaded; it expires by itself.")
        table.expires = datetime.now(timezone.utc) + timedelta(hours=STAGING_HOURS)
        self._create(name, table)

    def drop_staging(self, name: str) -> None:
        """Remove a staging table if it exists; without an answer from Google, it expires later."""
        options = self._options(name)
        options["retry"] = options["retry"].with_timeout(self._cloud.retries.longest_wait)
        try:
            with google_errors(f"table {name}"):
                self._client.delete_table(name, not_found_ok=True, **options)
        except (CloudRefused, CloudUnavailable) as error:
            logger.warning("table %s: cannot be removed and will expire: %s", name, error.what)

    def _new(self, name: str, fields: Sequence[Field], description: str) -> Any:
        from google.cloud import bigquery

        table = cast("Any", bigquery.Table)(name, schema=api_schema(fields))
        table.description = description
        table.labels = LABELS
        return table

    def _create(self, name: str, table: Any) -> None:
        with google_errors(f"table {name}"):
            self._client.create_table(table, exists_ok=True, **self._options(name))

    def _options(self, name: str) -> dict[str, Any]:
        return self._cloud.bigquery_options(f"table {name}")


def api_schema(fields: Sequence[Field]) -> "list[bigquery.SchemaField]":
    """Return columns as Google's client takes them."""
    from google.cloud import bigquery

    return [bigquery.SchemaField(field.name, field.kind, description=field.description) for field in fields]


def _check_layout(name: str, table: Any, fields: Sequence[Field], sorted_by: Sequence[str]) -> None:
    partition = table.time_partitioning
    kinds = {field.name: field.kind for field in fields}
    existing = {field.name: _SAME_TYPE.get(field.field_type, field.field_type) for field in table.schema}
    other = [f"{column} {kind}" for column, kind in existing.items() if kinds.get(column) != kind]
    lacking = [column for column in (ROW_ID, "filename", PARTITION) if column in kinds and column not in existing]
    by_month = partition is not None and (partition.type_, partition.field) == ("MONTH", PARTITION)
    differences = {
        f"other columns: {', '.join(other)}": other,
        f"without {', '.join(lacking)}": lacking,
        f"not partitioned by {PARTITION}": not by_month,
        f"not clustered by {', '.join(sorted_by)}": list(table.clustering_fields or []) != list(sorted_by),
    }
    found = "; ".join(text for text, differs in differences.items() if differs)
    if found:
        advice = "Rename it (`ALTER TABLE … RENAME TO …`), or set GCP_DATASET to another dataset."
        raise SchemaMismatch(f"table {name}", f"it exists and was not made by this platform ({found})", advice)

"""The warehouse's tables as they are in BigQuery: made where they are missing, refused where they are not ours."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import LABELS
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.bigquery.schema import PARTITION, Field
from taxi_platform.errors import CloudRefused, CloudUnavailable, SchemaMismatch

if TYPE_CHECKING:
    from google.cloud import bigquery

Log = Callable[[str], None]
STAGING_HOURS = 24
_SAME = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


class Tables:
    """Making and finding tables.

    Args:
        cloud: the project and its dataset.
        log: where progress is told.
        patience: how long Google is asked again.
    """

    def __init__(self, cloud: Cloud, log: Log, patience: Patience = PATIENT) -> None:
        self._cloud = cloud
        self._log = log
        self._patience = patience

    def ensure(self, name: str, fields: Sequence[Field], sorted_by: Sequence[str], description: str) -> None:
        """Have a table that is partitioned by file month, with these columns; their descriptions are kept up to date.

        Raises:
            SchemaMismatch: there is a table of that name which is not like that.
            CloudNotReady, CloudRefused, CloudUnavailable: there is no such dataset, or Google does not let us.
        """
        there = self.find(name)
        if there is None:
            wanted = _table(name, fields, description)
            wanted.time_partitioning = _by_file_month()
            wanted.clustering_fields = list(sorted_by) or None
            self._create(wanted)
            self._log(f"table {name}: made")
            there = self.find(name)
        _refuse_other(name, there, fields, sorted_by)
        if _descriptions(there.schema) != {field.name: field.description for field in fields}:
            there.schema = _schema(fields)
            with asking(f"table {name}"):
                self._client.update_table(there, ["schema"], retry=self._retry(name))

    def find(self, name: str) -> Any:
        """The table as the API describes it; none if there is none.

        Raises:
            CloudRefused, CloudUnavailable: Google does not say.
        """
        from google.api_core.exceptions import NotFound

        with asking(f"table {name}"):
            try:
                return self._client.get_table(name, retry=self._retry(name), timeout=self._patience.read_timeout)
            except NotFound:
                return None

    def create_staging(self, name: str, fields: Sequence[Field]) -> None:
        """Make a table that expires by itself, in place of what an earlier try may have left of it."""
        table = _table(name, fields, "A month that is being loaded; it expires by itself.")
        table.expires = datetime.now(timezone.utc) + timedelta(hours=STAGING_HOURS)
        self._create(table)

    def drop_staging(self, name: str) -> None:
        """Remove a staging table, if it is there; where Google does not answer, it expires by itself."""
        try:
            with asking(f"table {name}"):
                retry = self._retry(name).with_timeout(self._patience.longest_wait)
                self._client.delete_table(name, not_found_ok=True, retry=retry, timeout=self._patience.read_timeout)
        except (CloudRefused, CloudUnavailable) as error:
            self._log(f"table {name}: left to expire, for it cannot be removed: {error.what}")

    def _create(self, table: "bigquery.Table") -> None:
        with asking(f"table {table.full_table_id or table.reference}"):
            self._client.create_table(
                table, exists_ok=True, retry=self._retry(table.table_id), timeout=self._patience.read_timeout
            )

    @property
    def _client(self) -> Any:
        return self._cloud.bigquery

    def _retry(self, name: str) -> Any:
        return self._patience.retry(f"table {name}", self._log)


def _table(name: str, fields: Sequence[Field], description: str) -> "bigquery.Table":
    from google.cloud import bigquery

    table = cast("Any", bigquery.Table)(name, schema=_schema(fields))
    table.description = description
    table.labels = LABELS
    return table


def _schema(fields: Sequence[Field]) -> "list[bigquery.SchemaField]":
    from google.cloud import bigquery

    return [bigquery.SchemaField.from_api_repr(dict(field.as_api())) for field in fields]


def _by_file_month() -> "bigquery.TimePartitioning":
    from google.cloud import bigquery

    return bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.MONTH, field=PARTITION)


def _descriptions(schema: Any) -> dict[str, str]:
    return {field.name: field.description or "" for field in schema}


def _refuse_other(name: str, there: Any, fields: Sequence[Field], sorted_by: Sequence[str]) -> None:
    partition = there.time_partitioning
    found = {
        "columns": {field.name: _SAME.get(field.field_type, field.field_type) for field in there.schema},
        "partitioned by": (partition.type_, partition.field) if partition else None,
        "clustered by": list(there.clustering_fields or []),
    }
    wanted = {
        "columns": {field.name: field.kind for field in fields},
        "partitioned by": ("MONTH", PARTITION),
        "clustered by": list(sorted_by),
    }
    if found != wanted:
        differing = [
            f"{part}: {_difference(found[part], wanted[part])}" for part in wanted if found[part] != wanted[part]
        ]
        raise SchemaMismatch(
            f"table {name}",
            f"it exists and was not made by this platform ({'; '.join(differing)})",
            "Rename it (`ALTER TABLE … RENAME TO …`), or set GCP_DATASET to another dataset.",
        )


def _difference(found: Any, wanted: Any) -> str:
    if not isinstance(wanted, dict):
        return f"{found} where {wanted} is wanted"
    there, needed = cast("dict[str, str]", found), cast("dict[str, str]", wanted)
    return ", ".join(f"{column} {kind}" for column, kind in sorted(there.items() ^ needed.items()))

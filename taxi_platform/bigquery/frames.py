"""Reads tables of BigQuery as pandas or Arrow, trips in the same form as from PostgreSQL, and writes the zones.

Loading trips belongs in ``loader``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.bigquery.statements import replace_zones, rows_of
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform.trips import zones
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_TYPES = {"integer": "INT64", "text": "STRING"}


@dataclass(frozen=True)
class WarehouseReference:
    """A table, or some months of it, to be read where it is."""

    table: str  # its name with project and dataset
    columns: Sequence[str] = ()  # empty for all
    months: Sequence[Month] = ()  # empty for all rows

    @property
    def query(self) -> str:
        """The SQL that reads exactly these rows; the filter keeps BigQuery from reading other partitions."""
        return rows_of(self.table, self.columns, self.months)


def read_arrow(cloud: Cloud, reference: WarehouseReference) -> "pa.Table":
    """Return the referenced rows as an Arrow table: amounts are exact decimals, moments the local time in New York.

    BigQuery calls the moments UTC because it has no other kind; the trips' local times have no zone.
    """
    import pyarrow as pa

    subject = f"table {reference.table}"
    month = reference.months[0] if len(reference.months) == 1 else None
    service = reference.table.rpartition(".")[2].removesuffix("_tripdata")
    job: Any = Jobs(cloud, subject, service, month).query("read", reference.query)
    with google_errors(subject):
        # An emulator's read API has its own address; the real one is fifty times as fast as pages of JSON.
        rows = job.to_arrow(create_bqstorage_client=not cloud.bigquery_host)
    return _cast(rows, pa.types.is_timestamp, pa.timestamp("us"))


def read_pandas(cloud: Cloud, reference: WarehouseReference) -> "pd.DataFrame":
    """Return the referenced rows as a DataFrame: amounts are floats, integers with missing values stay integers."""
    import pandas as pd
    import pyarrow as pa

    table = _cast(read_arrow(cloud, reference), pa.types.is_decimal, pa.float64())
    nullable: dict[Any, Any] = {pa.int64(): pd.Int64Dtype()}
    return table.to_pandas(types_mapper=nullable.get)


def write_zones(cloud: Cloud, lookup: Sequence[zones.ZoneRow]) -> str:
    """Make the table of zones exactly these, by one statement, and return its name."""
    table = f"{dataset_of(cloud)}.{zones.TABLE}"
    columns = [(name, _TYPES[kind]) for name, (kind, _) in zones.COLUMNS.items()]
    Jobs(cloud, f"table {table}", "zones").query("replace", replace_zones(table, lookup, columns))
    return table


def _cast(table: "pa.Table", matches: Callable[[Any], bool], wanted: "pa.DataType") -> "pa.Table":
    """Return the table with every column whose type matches converted to another type."""
    for index, name in enumerate(table.column_names):
        if matches(table.schema.field(index).type):
            table = table.set_column(index, name, table.column(index).cast(wanted))
    return table

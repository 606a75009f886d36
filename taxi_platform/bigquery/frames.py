"""Any table of the warehouse read as pandas or Arrow; the trips as PostgreSQL would hand them out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import BYTES_BILLED, Jobs
from taxi_platform.bigquery.outcomes import JobFailed, refused
from taxi_platform.bigquery.statements import rows_of
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Log = Callable[[str], None]


@dataclass(frozen=True)
class WarehouseReference:
    """A table, or those of its months that an asset asks for, to be read where it lies.

    Attributes:
        table: its name with project and dataset.
        columns: the columns that are meant; empty for all.
        months: the file months that are meant; empty for all rows.
    """

    table: str
    columns: Sequence[str] = ()
    months: Sequence[Month] = ()

    @property
    def query(self) -> str:
        """The SQL that reads exactly these rows; the filter keeps BigQuery from reading other partitions."""
        return rows_of(self.table, self.columns, self.months)


def read_arrow(cloud: Cloud, reference: WarehouseReference, log: Log, bytes_billed: int = BYTES_BILLED) -> "pa.Table":
    """The referenced rows as an Arrow table: amounts are exact decimals, moments the local time in New York.

    BigQuery calls the moments UTC because it has no other kind; the trips' local times carry no zone.

    Raises:
        CloudNotReady, CloudRefused, CloudUnavailable: they cannot be had, or cost more than they may.
    """
    import pyarrow as pa

    jobs = Jobs(cloud, f"taxi_read_{uuid4().hex}", f"table {reference.table}", log, bytes_billed=bytes_billed)
    try:
        job = jobs.query("read", reference.query)
    except JobFailed as failed:
        raise refused(failed, f"table {reference.table}") from failed
    with asking(f"table {reference.table}"):
        # The reader of the stand-in is elsewhere; the real one is fifty times as fast as pages of JSON.
        rows = job.to_arrow(create_bqstorage_client=not cloud.bigquery_host)
    return _converted(rows, pa.types.is_timestamp, pa.timestamp("us"))


def read_pandas(
    cloud: Cloud, reference: WarehouseReference, log: Log, bytes_billed: int = BYTES_BILLED
) -> "pd.DataFrame":
    """The referenced rows as a pandas DataFrame: amounts are floats, integers with missing values stay integers.

    Raises:
        as ``read_arrow`` does.
    """
    import pandas as pd
    import pyarrow as pa

    table = _converted(read_arrow(cloud, reference, log, bytes_billed), pa.types.is_decimal, pa.float64())
    nullable: dict[Any, Any] = {pa.int64(): pd.Int64Dtype()}
    return table.to_pandas(types_mapper=nullable.get)


def _converted(table: "pa.Table", is_such: Callable[[Any], bool], wanted: "pa.DataType") -> "pa.Table":
    """The table with every column of such a type as another one."""
    for index, name in enumerate(table.column_names):
        if is_such(table.schema.field(index).type):
            table = table.set_column(index, name, table.column(index).cast(wanted))
    return table

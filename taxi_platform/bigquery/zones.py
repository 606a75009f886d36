"""The zone lookup in the warehouse: small, and replaced whole by one statement. The SQL is pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.patience import PATIENT
from taxi_platform.bigquery.schema import dataset_of
from taxi_platform.trips import zones

if TYPE_CHECKING:
    import pandas as pd

Log = Callable[[str], None]
_TYPES = {"integer": "INT64", "text": "STRING"}


def replace_zones(cloud: Cloud, lookup: "pd.DataFrame", log: Log) -> str:
    """Make the table of zones exactly these, and return its name.

    Raises:
        CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not take them.
    """
    table = f"{dataset_of(cloud)}.{zones.TABLE}"
    statement = replacing_statement(table, lookup.itertuples(index=False, name=None))
    with asking(f"table {table}"):
        cloud.bigquery.query(statement, retry=PATIENT.retry(f"table {table}", log)).result()
    return table


def replacing_statement(table: str, rows: Iterable[Sequence[object]]) -> str:
    """The statement that makes a table of zones of these rows, in the order of the contract's columns."""
    structs = ",\n  ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    fields = ", ".join(f"{name} {_TYPES[kind]}" for name, (kind, _) in zones.COLUMNS.items())
    return f"CREATE OR REPLACE TABLE `{table}` AS\nSELECT * FROM UNNEST(ARRAY<STRUCT<{fields}>>[\n  {structs}\n])"


def _literal(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return f"'{escaped}'"
    return str(value)

"""``python -m benchmarks.publish_parquet SERVICE CSV PARQUET ROW_GROUP``: convert a month, with the TLC's types."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from taxi_platform.trips.columns import Column
from taxi_platform.trips.services import SERVICES

_IDS = ("vendorid", "pulocationid", "dolocationid")


def main(service: str, csv: str, parquet: str, row_group: str) -> None:
    """Write the rows of a CSV to a Parquet file with this many rows in each row group."""
    types = {column.source: _type(column) for column in SERVICES[service].columns}
    options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    table = pyarrow.csv.read_csv(csv, convert_options=options)
    Path(parquet).parent.mkdir(exist_ok=True)
    pyarrow.parquet.write_table(table, parquet, row_group_size=int(row_group))


def _type(column: Column) -> pa.DataType:
    if column.is_code:
        return pa.int64() if column.name in _IDS else pa.float64()
    return {"timestamp": pa.timestamp("us"), "text": pa.string()}.get(column.postgres, pa.float64())


if __name__ == "__main__":
    main(*sys.argv[1:])

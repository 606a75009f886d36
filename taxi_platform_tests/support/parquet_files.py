"""Parquet files of trips for tests, with the types that the TLC has used; made in memory.

content = parquet(GREEN, rows(GREEN, 50))
content = parquet(GREEN, rows(GREEN, 50), fare_amount=pa.array([math.nan] * 50))
"""

import io
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from taxi_platform.trips.services import Service
from taxi_platform_tests.support.trip_texts import text

# The types in the TLC's files: ids are int64; other whole numbers are doubles, because some are empty.
_TYPES = {"timestamp": pa.timestamp("us"), "text": pa.string()}
_IDS = ("vendorid", "pulocationid", "dolocationid")


def parquet(
    service: Service, lines: Sequence[str], *, row_group: int = 1000, page_checksums: bool = False, **columns: Any
) -> bytes:
    """Return the rows of a CSV as a Parquet file, with other values in the named columns.

    The value of a column is a whole Arrow array; a type, to which its values are cast; or None, to leave it out.
    """
    return parquet_of(with_columns(table_of(service, lines), **columns), row_group, page_checksums=page_checksums)


def parquet_of(table: pa.Table, row_group: int | None = None, *, page_checksums: bool = False) -> bytes:
    """Return a table as a Parquet file."""
    content = io.BytesIO()
    pyarrow.parquet.write_table(table, content, row_group_size=row_group, write_page_checksum=page_checksums)
    return content.getvalue()


def table_of(service: Service, lines: Sequence[str]) -> pa.Table:
    """Return the rows as a table with the types that the TLC used in 2019."""
    types: dict[str, pa.DataType] = {}
    for column in service.columns:
        types[column.source] = _TYPES.get(column.postgres, pa.float64())
        if column.is_code:
            types[column.source] = pa.int64() if column.name in _IDS else pa.float64()
    options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return pyarrow.csv.read_csv(io.BytesIO(text(service, lines)), convert_options=options)


def with_columns(table: pa.Table, **columns: Any) -> pa.Table:
    """Return the table with these columns replaced, added or left out, as ``parquet`` describes."""
    for name, values in columns.items():
        index = next((index for index, known in enumerate(table.column_names) if known.lower() == name), None)
        if values is None:
            table = table.drop_columns([table.column_names[index]])
            continue
        values = table.column(index).cast(values) if isinstance(values, pa.DataType) else values
        if index is None:
            table = table.append_column(name, values)
        else:
            table = table.set_column(index, table.column_names[index], values)
    return table


def with_footer_rows(content: bytes, rows: int, claimed: int, *, everywhere: bool = False) -> bytes:
    """Return the file with a false number of rows in its footer, in the first or in every place that has it."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    old, new = _varint(rows), _varint(claimed)
    assert len(old) == len(new), "the footer must keep its length"
    footer, count = re.subn(re.escape(old), lambda _: new, content[start:-8], count=0 if everywhere else 1)
    assert count
    return content[:start] + footer + content[-8:]


def _varint(number: int) -> bytes:
    """Return a positive number as Thrift's compact protocol writes it."""
    number, encoded = number * 2, b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])

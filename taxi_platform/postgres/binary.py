"""Rows of a Parquet file as PostgreSQL's binary COPY, converted to the table's types exactly or not at all.

It is imported only for Parquet files. A value that cannot be taken as it is leaves the file to the parser in
``trips/records``, which names its row.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from pgpq import ArrowToPostgresBinaryEncoder

from taxi_platform.trips.columns import Column
from taxi_platform.trips.parquet import is_number, is_text
from taxi_platform.trips.records import TOO_LARGE

# The stubs type their arguments too narrowly.
_arrow: Any = pa
_compute: Any = pyarrow.compute

_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
    "integer": pa.int32(),
    "double precision": pa.float64(),
}
_TIMES = [np.datetime64(text, "us").astype(np.int64) for text in ("0001-01-01", "9999-12-31T23:59:59.999999")]
_LARGEST = math.nextafter(TOO_LARGE, 0)
_NULL = pa.scalar(None, pa.string())


class NotExact(Exception):
    """Some value is not one that the table's column holds as it is; the parser decides about it."""


def encoded(batches: Iterator[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield what one COPY of these batches sends.

    Raises:
        NotExact: a value cannot be taken as it is.
    """
    schema = pa.schema([(column.name, _TYPES[column.postgres]) for column in columns])
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        arrays: list[Any] = [_exact(batch.column(index), column) for index, column in enumerate(columns)]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    yield encoder.finish()


def _exact(array: Any, column: Column) -> Any:
    """Return the values in the type of the table's column."""
    wanted = _TYPES[column.postgres]
    if pa.types.is_null(array.type):
        return _arrow.nulls(len(array), wanted)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if column.postgres == "text" and is_text(array.type):
        return _exact_texts(array, column)
    fits = pa.types.is_timestamp if column.postgres == "timestamp" else is_number
    if not fits(array.type) or (column.postgres == "text" and not column.is_code):
        raise NotExact(f"{column.source} holds values of type {array.type}")
    try:
        exact = array.cast(pa.int32() if column.is_code else wanted)
    except pa.ArrowInvalid as error:
        raise NotExact(f"{column.source}: {error}") from None
    if column.postgres == "timestamp":
        _check_range(exact.view(pa.int64()), column, *_TIMES)
    elif column.postgres == "double precision":
        _check_range(exact, column, -_LARGEST, _LARGEST)
    return exact.cast(wanted)


def _exact_texts(array: Any, column: Column) -> Any:
    texts = array.cast(pa.string())
    if column.is_code and _compute.any(_compute.match_substring(texts, ".")).as_py():
        raise NotExact(f"{column.source} holds a text with a point")
    is_empty = _compute.equal(texts, pa.scalar(""))
    return _compute.replace_with_mask(texts, is_empty, _NULL)  # an empty field of a CSV is NULL, too


def _check_range(array: Any, column: Column, least: Any, most: Any) -> None:
    """Raise ``NotExact`` unless all values are in range; NaN is in none."""
    values: Any = array.drop_null().to_numpy(zero_copy_only=False)
    if len(values) and not (values.min() >= least and values.max() <= most):
        raise NotExact(f"{column.source} holds a value that is out of range")

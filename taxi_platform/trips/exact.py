"""Values of a Parquet file in the types of the contract, converted exactly or not at all, a batch at a time.

It is imported only for Parquet files. If a value cannot be converted exactly, the parser in ``records`` reads its
batch and names its row. The values and texts that are made here are the same that the parser would make.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from taxi_platform.trips.columns import Column
from taxi_platform.trips.parquet import is_number, is_text
from taxi_platform.trips.records import TOO_LARGE, NeedsParser, double_precision

# The stubs type their arguments too narrowly.
_arrow: Any = pa
_compute: Any = pyarrow.compute

ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
    "integer": pa.int32(),
    "double precision": pa.float64(),
}
"""Arrow's type for each type of the contracts."""

_TIMES = [np.datetime64(text, "us").astype(np.int64) for text in ("0001-01-01", "9999-12-31T23:59:59.999999")]
_LARGEST = math.nextafter(TOO_LARGE, 0)
_NULL = pa.scalar(None, pa.string())


def exact(array: Any, column: Column) -> Any:
    """Return the values of a column in the contract's type; raise ``NeedsParser`` if one cannot be taken unchanged."""
    wanted = ARROW_TYPES[column.postgres]
    if pa.types.is_null(array.type):
        return _arrow.nulls(len(array), wanted)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if column.postgres == "text" and is_text(array.type):
        return _exact_texts(array, column)
    fits = pa.types.is_timestamp if column.postgres == "timestamp" else is_number
    if not fits(array.type) or (column.postgres == "text" and not column.is_code):
        raise NeedsParser(f"{column.source} holds values of type {array.type}")
    try:
        values = array.cast(pa.int32() if column.is_code else wanted)
    except pa.ArrowInvalid as error:
        raise NeedsParser(f"{column.source}: {error}") from None
    if column.postgres == "timestamp":
        _check_range(values.view(pa.int64()), column, *_TIMES)
    elif column.postgres == "double precision":
        _check_range(values, column, -_LARGEST, _LARGEST)
    return values.cast(wanted)


def _exact_texts(array: Any, column: Column) -> Any:
    texts = array.cast(pa.string())
    if column.is_code and _compute.any(_compute.match_substring(texts, ".")).as_py():
        raise NeedsParser(f"{column.source} holds a text with a point")
    is_empty = _compute.equal(texts, pa.scalar(""))
    return _compute.replace_with_mask(texts, is_empty, _NULL)  # an empty field of a CSV is NULL, too


def _check_range(array: Any, column: Column, least: Any, most: Any) -> None:
    """Raise ``NeedsParser`` unless all values are in range; NaN never is."""
    values: Any = array.drop_null().to_numpy(zero_copy_only=False)
    if len(values) and not (values.min() >= least and values.max() <= most):
        raise NeedsParser(f"{column.source} holds a value that is out of range")


def canonical_csv(batch: pa.RecordBatch, columns: Sequence[Column], order: Sequence[int]) -> bytes:
    """Return the rows of a batch as the parser would write them, or raise ``NeedsParser``.

    ``order`` has the columns' places in the batch; -1 stands for an empty column.
    """
    texts = [_texts(exact(batch.column(index), column), column) for index, column in enumerate(columns)]
    texts.append(_arrow.nulls(batch.num_rows, pa.string()))
    return _as_csv([texts[index] for index in order])


def _texts(values: Any, column: Column) -> Any:
    """Return exact values as the parser spells them."""
    if column.postgres == "text":
        if _compute.any(_compute.match_substring(values, "\0")).as_py():
            raise NeedsParser(f"{column.source} holds a NUL byte")
        return values
    if column.postgres == "double precision":
        # A batch has few different amounts, so each is spelled once. They are compared as bits: 0 and -0 are different.
        amounts = values.view(pa.int64()).dictionary_encode()
        spelled = [double_precision(amount) for amount in amounts.dictionary.view(pa.float64()).to_pylist()]
        return pa.array(spelled, pa.string()).take(amounts.indices)
    texts = values.cast(pa.string())
    return _compute.utf8_rtrim(_compute.utf8_rtrim(texts, "0"), ".") if column.postgres == "timestamp" else texts


def _as_csv(columns: list[Any], style: Any = "none") -> bytes:
    """Return rows of texts as CSV, with quotes only where a field of the batch needs them."""
    batch = pa.RecordBatch.from_arrays(columns, names=[str(index) for index in range(len(columns))])
    text = io.BytesIO()
    try:
        pyarrow.csv.write_csv(batch, text, pyarrow.csv.WriteOptions(include_header=False, quoting_style=style))
    except pa.ArrowInvalid:  # a text has a comma, a quote or a line end
        return _as_csv(columns, "needed")
    return text.getvalue()

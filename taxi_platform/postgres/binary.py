"""Rows of a Parquet file as PostgreSQL's binary COPY. It is imported only for Parquet files."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from taxi_platform.trips.columns import Column
from taxi_platform.trips.exact import ARROW_TYPES, exact


def encoded(batches: Iterator[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield what one COPY of these batches sends.

    Raises:
        NeedsParser: a value cannot be taken unchanged.
    """
    schema = pa.schema([(column.name, ARROW_TYPES[column.postgres]) for column in columns])
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        arrays: list[Any] = [exact(batch.column(index), column) for index, column in enumerate(columns)]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    yield encoder.finish()

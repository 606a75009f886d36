"""ParquetStream, the only reader of Parquet files of trips. It reads small batches, however large the row groups are.

It is imported only for such files, because pyarrow takes long to import. Which values are valid is decided in
``records``; how batches become rows of a table is decided where they are loaded.
"""

import csv
import hashlib
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.errors import DamagedFile, SchemaMismatch
from taxi_platform.redaction import kind_of
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import FETCH_AGAIN
from taxi_platform.trips.services import Service

MAGIC = b"PAR1"
BATCH = 16 * 1024  # rows decoded at once: a column holds about 128 KiB of them
BUFFER = 256 * 1024  # bytes of a column's compressed pages that are read at once
_HASHED = 1024 * 1024  # bytes read at once for the checksum
_WHOLE = 2.0**53  # from here on, doubles are whole numbers
_SMALLEST = 12  # bytes: the magic number twice, and the footer's length


class ParquetStream:
    """One pass over a Parquet file of trips.

    The checksum, the footer and the columns are read on construction. Once ``blocks`` is exhausted, ``rows`` is final.

    Attributes:
        types: the types of the columns of ``header``, in the file.
        bytes, csv_bytes: the size of the file, and of its columns uncompressed.
        rows: rows read so far.

    Raises:
        DamagedFile: the file is not Parquet, is cut off, has no rows, or its footer contradicts itself or the rows.
        SchemaMismatch: the columns are not those of the contract, or one has a type that is not a plain value.
    """

    unit = "row"
    regular = None  # not known before a loader converts the values

    def __init__(self, path: Path, service: Service, month: Month) -> None:
        self.subject = str(Path(service.file_name(month)).with_suffix(".parquet"))
        self.rows = 0
        self._source = pa.OSFile(str(path), "rb")  # one descriptor, so that the rows are those of the checksum
        self.bytes: int = self._source.size()
        self.sha256 = self._checked_sha256()
        with self._decoding():
            # Without pre_buffer and with its own buffer, no column is read into memory as a whole.
            self._file = pq.ParquetFile(
                self._source, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True
            )
            schema = self._file.schema_arrow
        names = io.StringIO()
        csv.writer(names).writerow(schema.names)
        header = match_header(service, names.getvalue().encode(), self.subject, month)
        loaded = tuple(column for column in header.columns if column not in header.ignored)
        self.header: Header = replace(header, columns=loaded)
        known = {spelling.lower() for column in self.header.columns for spelling in (column.source, *column.aliases)}
        self._names: list[str] = [name for name in schema.names if name.strip().lower() in known]
        self.types: list[Any] = [schema.field(name).type for name in self._names]
        self._refuse_types()
        self.csv_bytes: int = self._check_footer()

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some thousands at a time, with the columns of ``header``."""
        with self._decoding():
            for batch in self._file.iter_batches(BATCH, columns=self._names, use_threads=False):
                batch.validate(full=True)  # texts may be anything but UTF-8
                self.rows += batch.num_rows
                yield batch
        if self.rows != self._file.metadata.num_rows:
            raise self._damaged(f"its footer promises {self._file.metadata.num_rows:,} rows, it has {self.rows:,}")
        self._check_columns()
        self._source.close()

    def is_number(self, index: int) -> bool:
        """Return whether a column of ``header`` holds numbers, not texts."""
        return is_number(self.types[index])

    def _checked_sha256(self) -> str:
        """Return the checksum of the file, after its magic numbers were checked."""
        digest = hashlib.sha256()
        start = end = b""
        while chunk := self._source.read(_HASHED):
            digest.update(chunk)
            start = start or chunk
            end = (end + chunk)[-4:]
        self._source.seek(0)
        if not start:
            raise DamagedFile(self.subject, "it is empty", "Ask the source for the month again.")
        if not start.startswith(MAGIC):
            raise self._damaged(f"it is not a Parquet file, but {kind_of(start)}")
        if end != MAGIC or self.bytes < _SMALLEST:
            raise self._damaged("its footer is missing: the file was cut off")
        return digest.hexdigest()

    def _refuse_types(self) -> None:
        types = zip(self._names, self.types, strict=True)
        found = ", ".join(f"{name!r} is {kind}" for name, kind in types if not _is_plain(kind))
        if found:
            raise SchemaMismatch(
                self.subject,
                f"these columns cannot be read without a guess: {found}",
                "Columns must hold numbers, texts, or times without a time zone.",
            )

    def _check_footer(self) -> int:
        """Refuse a footer that contradicts itself, and return the size of the columns uncompressed."""
        footer = self._file.metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        if sum(group.num_rows for group in groups) != footer.num_rows:
            raise self._contradiction()
        if not footer.num_rows:
            raise DamagedFile(self.subject, "it has columns and no rows", "Ask the source for the month again.")
        return sum(group.total_byte_size for group in groups)

    def _check_columns(self) -> None:
        """Refuse a footer whose columns have other numbers of values than its row groups have rows.

        Only for columns that were read: pyarrow ends the process where the footer describes a column wrongly.
        """
        footer = self._file.metadata
        read = [number for number in range(footer.num_columns) if footer.schema.column(number).path in self._names]
        for group in map(footer.row_group, range(footer.num_row_groups)):
            if any(group.column(number).num_values != group.num_rows for number in read):
                raise self._contradiction()

    def _contradiction(self) -> DamagedFile:
        return self._damaged(f"its footer contradicts itself about its {self._file.metadata.num_rows:,} rows")

    @contextmanager
    def _decoding(self) -> Generator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # the disk's fault, not the file's
            reason = str(error).splitlines()[0]
            raise self._damaged(f"it cannot be decoded after {self.rows:,} rows ({reason})") from None

    def _damaged(self, what: str) -> DamagedFile:
        return DamagedFile(self.subject, what, FETCH_AGAIN)


def texts_of(batch: pa.RecordBatch) -> Iterator[tuple[str, ...]]:
    """Yield every row as texts that stand for exactly its values, ``""`` for NULL."""
    return zip(*[_texts(batch.column(index)) for index in range(batch.num_columns)], strict=True)


def _is_plain(kind: Any) -> bool:
    """Return whether a value of this type can be written as a text that stands for exactly this value."""
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    others = (pa.types.is_null, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_date)
    return is_text(kind) or is_number(kind) or any(is_kind(kind) for is_kind in others)


def is_text(kind: Any) -> bool:
    """Return whether a type is one of Arrow's for texts."""
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_number(kind: Any) -> bool:
    """Return whether a type is one of Arrow's for binary numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _texts(array: Any) -> list[str]:
    if pa.types.is_date(array.type):
        array = array.cast(pa.string())  # Python has no years after 9999
    if pa.types.is_timestamp(array.type):
        times: list[str | None] = array.cast(pa.string()).to_pylist()
        return ["" if time is None else time.rstrip("0").rstrip(".") if "." in time else time for time in times]
    return ["" if value is None else _text(value) for value in array.to_pylist()]


def _text(value: object) -> str:
    """Return the text of a value; a double that is a whole number is spelled like one."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return f"{value:.0f}"
    return str(value)

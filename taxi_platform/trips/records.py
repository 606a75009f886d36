"""The one parser of trip files: which field values are valid, and how they are spelled.

It is about ten times slower than a database's own reader, so only files with lines that are not regular (see
``reading``) are parsed. What it writes, a canonical CSV, is loaded by PostgreSQL and BigQuery alike. What happens to
bad rows is decided by the caller.
"""

import csv
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import IO

from taxi_platform.errors import BadRows
from taxi_platform.trips.columns import Column
from taxi_platform.trips.reading import Stream, TripStream
from taxi_platform.trips.services import Service

PARSER = 2  # stored with each month that is loaded; raise it when a value is read differently. Version 0.1 was 1.

LINES_PER_RECORD = 10  # a quoted field may hold line ends; an open quote must not swallow the rest of the file
INTEGERS = range(-(2**31), 2**31)  # PostgreSQL's integer
TOO_LARGE = 1e29  # BigQuery's NUMERIC has 29 digits before the point, and both warehouses hold the same values
SHOWN = 10  # rejected records that a message lists
SHOWN_TEXT = 100  # characters of each
BLOCK = 256 * 1024  # characters of canonical rows that are handed on together

_DIGITS = 20  # of a whole number; Python refuses to read thousands of them
_CACHED = 40  # characters: longer fields hardly ever come twice
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_CODE = re.compile(r"(\d+)\.0*", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d)(\.\d{1,6})?)?", re.ASCII)
_US = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d)(?::(\d\d))?(?: ([AP])M)?", re.ASCII | re.IGNORECASE)
_NEEDS_QUOTES = re.compile(r'[",\r\n]')
_EXACT = Context(prec=60)
_WHOLE = 2.0**53  # from here on, doubles are whole numbers


class NeedsParser(Exception):
    """The file must go through the parser; nothing is wrong with it yet."""


@dataclass(frozen=True)
class Record:
    r"""One record of a file.

    Attributes:
        line: the number of its first line in the uncompressed file, whose header is line 1; of its row in Parquet.
        text: the line without its line end, bytes that are not UTF-8 spelled ``\xNN``.
        values: its values in the file's order, spelled as PostgreSQL prints them, ``""`` for none.
        problem: why it is bad.
    """

    line: int
    text: str
    values: tuple[str, ...] = ()
    problem: str | None = None


def read_records(stream: TripStream) -> Iterator[Record]:
    """Yield every record of a stream, without blank lines; the stream is exhausted afterwards."""
    return _parsed(_split_records(stream), stream)


def _parsed(split: Iterator[Record], stream: Stream) -> Iterator[Record]:
    columns = stream.header.columns
    kinds = ["code" if column.is_code else column.postgres for column in columns]
    if not isinstance(stream, TripStream):
        # A number of the file must be a whole number to be a code; a text may be anything, as in a CSV.
        kinds = ["integer" if kind == "code" and stream.is_number(index) else kind for index, kind in enumerate(kinds)]
    for record in split:
        if record.problem is None:
            values, problem = _parse(record.values, columns, kinds)
            record = replace(record, values=values, problem=problem)
        yield record


def _rows(rows: Iterable[tuple[str, ...]], first: int) -> Iterator[Record]:
    """Yield rows of a Parquet file as records that are not parsed yet; ``first`` is the number of the first."""
    for number, fields in enumerate(rows, first):
        text = ",".join(fields)
        yield Record(number, text.replace("\0", "\\x00"), fields, "it holds a NUL byte" if "\0" in text else None)


def count_records(stream: TripStream) -> int:
    """Return the number of records of a stream, good or bad, without looking at their values."""
    return sum(1 for _ in _split_records(stream))


@dataclass
class Canonical:
    """The canonical CSV of a file, while it is written.

    One line for each good row: the columns in their order, UTF-8, LF, nothing for NULL, numbers and
    times as PostgreSQL prints them, quotes only around fields that need them, no header.

    Attributes:
        bad: where bad rows are written: ``line,text,reason`` as CSV, every field in quotes.
        rows, rejected: good and bad rows so far.
        parsed: whether some rows went through the parser, and not only through Arrow's exact conversions.
        first_rejected: the first bad rows, shortened for messages.
    """

    stream: Stream
    service: Service
    bad: IO[bytes]
    rows: int = 0
    rejected: int = 0
    parsed: bool = False
    first_rejected: list[Record] = field(default_factory=list[Record])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of each row: those of the contract, and those of the file that are added to it."""
        return (*self.service.columns, *self.stream.header.added)

    def blocks(self) -> Iterator[bytes]:
        """Yield the canonical CSV in blocks of whole rows; the counts are final after the last one."""
        columns = self.stream.header.columns
        # The empty value that is added to each row stands for the columns that the file lacks.
        order = [columns.index(column) if column in columns else -1 for column in self.columns]
        if isinstance(self.stream, TripStream):
            yield from self._written(read_records(self.stream), order)
            return
        from taxi_platform.trips.exact import canonical_csv
        from taxi_platform.trips.parquet import texts_of

        for batch in self.stream.blocks():
            try:
                block = canonical_csv(batch, columns, order)
            except NeedsParser:
                split = _rows(texts_of(batch), self.stream.rows - batch.num_rows + 1)
                yield from self._written(_parsed(split, self.stream), order)
            else:
                self.rows += batch.num_rows
                yield block

    def _written(self, records: Iterator[Record], order: Sequence[int]) -> Iterator[bytes]:
        self.parsed = True
        lines: list[str] = []
        size = 0
        for record in records:
            if record.problem is not None:
                self._reject(record, record.problem)
                continue
            values = (*record.values, "")
            lines.append(line := ",".join([_quote(values[index]) for index in order]))
            self.rows += 1
            size += len(line)
            if size >= BLOCK:
                yield ("\n".join(lines) + "\n").encode()
                lines, size = [], 0
        if lines:
            yield ("\n".join(lines) + "\n").encode()

    def check_bad_rows(self, most: float) -> None:
        """Raise ``BadRows``, which lists the first ones, if all rows are bad, or a larger share than ``most``.

        To be called after the last block.
        """
        total = self.rows + self.rejected
        if self.rejected <= most * total and (self.rows or not total):
            return
        unit = self.stream.unit
        lines = "".join(f"\n  {unit} {record.line}: {record.problem}: {record.text}" for record in self.first_rejected)
        others = self.rejected - len(self.first_rejected)
        more = f"\n  … and {others:,} more" if others else ""
        if not self.rows:
            advice = "Not one row is good: this is not a file of trips."
        elif most:
            advice = f"Correct the file; TAXI_MAX_BAD_ROWS allows {most:.4g} of its rows to be bad."
        else:
            advice = "Correct the file, or set TAXI_ON_BAD_ROWS=quarantine to load the good rows and keep the others."
        what = f"{self.rejected:,} of {total:,} rows cannot be stored:{lines}{more}\nThe table is unchanged"
        raise BadRows(self.stream.subject, what, advice)

    def _reject(self, record: Record, problem: str) -> None:
        self.rejected += 1
        if len(self.first_rejected) < SHOWN:
            self.first_rejected.append(replace(record, text=record.text[:SHOWN_TEXT]))
        fields = ",".join('"' + text.replace('"', '""') + '"' for text in (str(record.line), record.text, problem))
        self.bad.write(f"{fields}\n".encode())


def _quote(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if _NEEDS_QUOTES.search(value) else value


def _split_records(stream: TripStream) -> Iterator[Record]:
    """Yield every record with its fields as they are written; one that cannot be split has a problem."""
    lines = _Lines(stream)
    expected = len(stream.header.columns)
    while (line := lines.take()) is not None:
        if line in (b"", b"\r"):
            continue
        number = lines.number
        line, fields, problem = _split(line, lines, expected)
        if stream.unterminated and lines.look(0) is None:
            fields, problem = (), "the last line has no line end: the file may be cut off"
        yield Record(number, line.decode("utf-8", "backslashreplace").replace("\0", "\\x00"), fields, problem)


class _Lines:
    """The numbered lines of a stream, without LF but with the CR that may stand before it, with a look ahead."""

    def __init__(self, stream: TripStream) -> None:
        self.number = 1  # of the line taken last; the header is 1
        self._ahead: deque[bytes] = deque()
        self._lines = (line for block in stream.blocks() for line in block[:-1].split(b"\n"))

    def take(self) -> bytes | None:
        line = self._ahead.popleft() if self._ahead else next(self._lines, None)
        self.number += line is not None
        return line

    def look(self, offset: int) -> bytes | None:
        self._ahead.extend(islice(self._lines, max(0, offset + 1 - len(self._ahead))))
        return self._ahead[offset] if offset < len(self._ahead) else None


def _split(line: bytes, lines: _Lines, expected: int) -> tuple[bytes, tuple[str, ...], str | None]:
    """Return the record that begins with ``line``: its bytes, its fields, or what is wrong; it is then one line."""
    record, line = line, line.removesuffix(b"\r")
    if line.count(b'"') % 2:
        for offset in range(LINES_PER_RECORD - 1):
            more = lines.look(offset)
            if more is None:
                break
            record += b"\n" + more
            if record.count(b'"') % 2 == 0:
                break
        if record.count(b'"') % 2:
            return line, (), "a quote is opened and never closed"
    record = record.removesuffix(b"\r")
    try:
        text = record.decode("utf-8")
        fields = tuple(next(csv.reader([text], strict=True), ())) if '"' in text else tuple(text.split(","))
    except UnicodeDecodeError as error:
        return line, (), f"byte 0x{record[error.start]:02X} at position {error.start + 1} is not UTF-8"
    except csv.Error as error:
        return line, (), f"it is not valid CSV ({error})"
    if "\0" in text:
        return line, (), "it holds a NUL byte"
    if len(fields) != expected:
        return line, (), f"{len(fields)} fields where the header has {expected}"
    for _ in range(record.count(b"\n")):
        lines.take()
    return record, fields, None


def _parse(
    fields: Sequence[str], columns: Sequence[Column], kinds: Sequence[str]
) -> tuple[tuple[str, ...], str | None]:
    """Return the values of a record, or what is wrong with the first field that is not valid."""
    values: list[str] = []
    for text, column, kind in zip(fields, columns, kinds, strict=True):
        value, problem = _convert(text, kind) if len(text) <= _CACHED else _convert.__wrapped__(text, kind)
        if problem is not None:
            return (), f"{column.source} {text[:60]!r} {problem}"
        values.append(value)
    return tuple(values), None


@lru_cache(maxsize=50_000)
def _convert(text: str, kind: str) -> tuple[str, str | None]:
    """Return a field as PostgreSQL prints its value, or what is wrong with it."""
    if kind == "text":
        return text, None
    if kind == "code":
        code = _CODE.fullmatch(text)
        return (code[1] if code else text), None
    text = text.strip()
    if text == "":
        return "", None
    if kind == "timestamp":
        return _timestamp(text)
    return _whole_number(text) if kind == "integer" else _amount(text)


def _whole_number(text: str) -> tuple[str, str | None]:
    number = _INTEGER.fullmatch(text)
    if number is None:
        return "", "is not a whole number"
    if len(number[1]) > _DIGITS or int(number[1]) not in INTEGERS:
        return "", "is too large for a whole number"
    return str(int(number[1])), None


def _amount(text: str) -> tuple[str, str | None]:
    if _NUMBER.fullmatch(text) is None:
        return "", "is not a number"
    number = float(text)
    if abs(number) >= TOO_LARGE:
        return "", "is too large for an amount"
    if number == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return "", "is too small for an amount"
    return double_precision(number), None


def _timestamp(text: str) -> tuple[str, str | None]:
    if match := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction = match.groups()
        half = None
    elif match := _US.fullmatch(text):  # as spreadsheets and NYC Open Data spell it
        month, day, year, hour, minute, second, half = match.groups()
        fraction = None
    else:
        return "", "is not a date and time"
    hours = int(hour)
    if half and hours in range(1, 13):
        hours = hours % 12 + 12 * (half in "Pp")
    elif half:
        hours = -1
    try:
        moment = datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0))
    except ValueError:
        return "", "is an impossible date or time"
    return moment.isoformat(" ") + (fraction or "").rstrip("0").rstrip("."), None


def double_precision(number: float) -> str:
    """Return a finite number as PostgreSQL prints it: the shortest digits, with an exponent from 1e+15."""
    sign, digits, exponent = Decimal(_shortest(number)).normalize(_EXACT).as_tuple()
    power = len(digits) + int(exponent) - 1  # of the first digit
    if number == 0 or -5 < power < 15:
        return f"{Decimal((sign, digits, int(exponent))):f}"
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{power:+03d}"


def _shortest(number: float) -> str:
    """Return the shortest digits that mean a number, but not digits halfway to the next number.

    Python accepts those and PostgreSQL does not. They only occur from 2^53 on.
    """
    if abs(number) < _WHOLE:
        return repr(number)
    step = Fraction(math.ulp(number))
    for places in range(17):
        text = f"{number:.{places}e}"
        if float(text) == number and abs(Fraction(text) - Fraction(number)) * 2 != step:
            return text
    return repr(number)

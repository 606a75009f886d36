"""The careful reading of a file that is not regular: every record with its line number, judged by the contract.

About ten times slower than handing blocks to the database, so only files that need it are read this way. Pure:
what happens to bad records is decided by the caller.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from taxi_platform.trips.columns import Column
from taxi_platform.trips.reading import TripStream

LINES_PER_RECORD = 10  # a quoted field may hold line ends; an open quote must not swallow the rest of the file
INTEGERS = range(-(2**31), 2**31)  # PostgreSQL's integer
DIGITS = 20  # of a whole number; Python does not even read one of thousands

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_CODE = re.compile(r"(\d+)\.0*", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d)(\.\d{1,6})?)?", re.ASCII)
_US = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d)(?::(\d\d))?", re.ASCII)


@dataclass(frozen=True)
class Record:
    r"""One record of a file.

    Attributes:
        line: the number of its first line in the uncompressed file; the header is line 1.
        text: the line as it stands without its line end, bytes that are no UTF-8 spelled ``\xNN``.
        values: its values in the file's order, spelled as PostgreSQL reads them, ``""`` for none.
        problem: why it is bad, or None.
    """

    line: int
    text: str
    values: tuple[str, ...] = ()
    problem: str | None = None


def read_records(stream: TripStream) -> Iterator[Record]:
    """Every record that a stream holds, blank lines passed over; the stream is exhausted by it.

    Raises:
        DamagedFile: as ``TripStream.blocks`` does.
    """
    columns = stream.header.columns
    lines = _Lines(stream)
    while (line := lines.take()) is not None:
        if line in (b"", b"\r"):
            continue
        number = lines.number
        line, fields, problem = _split(line, lines, len(columns))
        if stream.unterminated and lines.look(0) is None:
            fields, problem = (), "the last line has no line end: the file may be cut off"
        elif problem is None:
            fields, problem = _judge(fields, columns)
        yield Record(number, _spell(line), fields, problem)


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
    """The record that begins with ``line``: its bytes, its fields, or why it has none.

    A bad one is its first line alone, so that the lines behind it are judged for themselves.
    """
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
        return line, (), f"its fields cannot be told apart ({error})"
    if "\0" in text:
        return line, (), "it holds a NUL byte"
    if len(fields) != expected:
        return line, (), f"{len(fields)} fields where the header has {expected}"
    for _ in range(record.count(b"\n")):
        lines.take()
    return record, fields, None


def _judge(fields: Sequence[str], columns: Sequence[Column]) -> tuple[tuple[str, ...], str | None]:
    values: list[str] = []
    for field, column in zip(fields, columns, strict=True):
        value, problem = _convert(field, column)
        if problem is not None:
            return (), f"{column.source} {field[:60]!r} is {problem}"
        values.append(value)
    return tuple(values), None


def _convert(field: str, column: Column) -> tuple[str, str | None]:
    """A field as PostgreSQL reads it, or what is wrong with it."""
    if column.postgres == "text":
        code = _CODE.fullmatch(field) if column.is_code else None
        return (code[1] if code else field), None
    field = field.strip()
    if field == "":
        return "", None
    if column.postgres == "timestamp":
        return _timestamp(field)
    if column.postgres == "integer":
        whole = _INTEGER.fullmatch(field)
        if whole is None:
            return "", "not a whole number"
        fits = len(whole[1]) <= DIGITS and int(whole[1]) in INTEGERS
        return whole[1], None if fits else "too large for a whole number"
    return field, None if _NUMBER.fullmatch(field) else "not a number"


def _timestamp(field: str) -> tuple[str, str | None]:
    if match := _ISO.fullmatch(field):
        year, month, day, hour, minute, second, fraction = match.groups()
    elif match := _US.fullmatch(field):  # as spreadsheets rewrite it
        month, day, year, hour, minute, second = match.groups()
        fraction = None
    else:
        return "", "not a date and time"
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    except ValueError:
        return "", "an impossible date or time"
    return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + (fraction or ""), None


def _spell(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").replace("\0", "\\x00")

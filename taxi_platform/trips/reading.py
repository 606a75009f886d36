"""TripStream, the only reader of CSV files of trips, and RegularRows, the test whether rows need the parser.

A stream is verified while it is read: gzip checksums, header, line ends, and rows are counted. Which values are valid
is decided in ``records``, where files come from in ``sources``.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from isal import isal_zlib

from taxi_platform.errors import DamagedFile, missing_extras
from taxi_platform.redaction import kind_of
from taxi_platform.trips.columns import Column
from taxi_platform.trips.files import edition_of
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

CHUNK = 64 * 1024  # compressed bytes read at once: inflated about 0.5 MB
LARGEST_PIECE = 2 * 1024 * 1024  # bytes inflated at once, however well the file is compressed
LONGEST_LINE = 1024 * 1024  # bytes; a trip takes about 100, so a longer line is not a trip
LARGEST_RATIO = 200  # uncompressed to compressed bytes: trip files have about 6, gzip's maximum is about 1,000
RATIO_FROM = 64 * 1024 * 1024  # uncompressed bytes from which on the ratio counts
GZIP_MAGIC = b"\x1f\x8b"
FETCH_AGAIN = "Delete it and fetch it again; if that does not help, the file is broken at its source."

_CORRUPT = cast("type[Exception]", isal_zlib.error)  # isal's stubs declare it an instance

LONGEST_NUMBER = 28  # digits in a row: with more, an amount may be too large for BigQuery's NUMERIC
KNOWN_SHAPES = 100_000  # a service's files have a few hundred; free text must not fill the memory

_DIGITS = b"0123456789"
_ZERO, _TWO, _FOUR, _SIX = b"0246"
_SHAPES = {
    "timestamp": re.compile(rb"(?:-- ::)?"),
    "integer": re.compile(rb"-?"),
    "double precision": re.compile(rb"-?\.?"),
    "code": re.compile(rb'[^."\\:\x00-\x1f\x7f-\xff]*'),
    "text": re.compile(rb'[^"\\:\x00-\x1f\x7f-\xff]*'),
}


def open_trips(
    path: Path, service: Service, month: Month, *, name: str | None = None, is_regular: bool | None = None
) -> "Stream":
    """Open a trip file for one pass. ``name`` is its name, if that of ``path`` is a temporary one.

    For the errors see ``TripStream`` and ``ParquetStream``.
    """
    name = name or path.name
    if edition_of(name) == "parquet":
        with missing_extras():
            from taxi_platform.trips.parquet import ParquetStream

        return ParquetStream(path, service, month)
    return TripStream(read_chunks(path), service, month, compressed=name.endswith(".gz"), is_regular=is_regular)


def read_chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the bytes of a file, ``size`` at a time."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


class TripStream:
    """One pass over the bytes of a trip file, which yields blocks of whole lines.

    The header is read and matched on construction. Once ``blocks`` is exhausted, the counts are final.

    ``chunks`` are the file's bytes in pieces of any size, gzipped if ``compressed``. ``is_regular`` is the result of an
    earlier pass over the same bytes: the rows are not tested again, and the caller must compare the checksum.

    Attributes:
        bytes, csv_bytes: compressed and uncompressed bytes read so far.
        rows: lines after the header so far, which are the records of a regular file.
        unterminated: whether the last line has no line end and no checksum covers it, so that it may be cut.
        regular: whether all lines so far are regular, so that they need not go through the parser in ``records``.

    Raises:
        DamagedFile: the file is empty, is not gzip, is cut off, or has no line ends or no rows.
        SchemaMismatch: the columns are not those of the contract.
    """

    unit = "line"  # what its records are numbered by

    def __init__(
        self,
        chunks: Iterable[bytes],
        service: Service,
        month: Month,
        *,
        compressed: bool,
        is_regular: bool | None = None,
    ) -> None:
        self.subject = service.file_name(month)
        self.bytes = self.csv_bytes = self.rows = 0
        self.regular = is_regular is not False
        self.unterminated = False
        self._compressed = compressed
        self._digest = hashlib.sha256()
        counted = self._count(chunks)
        self._inflated = inflate(counted, self.subject) if compressed else counted
        line, self._rest = self._first_line()
        self.header: Header = match_header(service, line, self.subject, month)
        self._regular_rows = None if is_regular else RegularRows(self.header.columns)

    @property
    def sha256(self) -> str:
        """The checksum of the bytes read so far, in lower-case hex."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks of whole lines, without the header, each line with its own line end."""
        rest, self._rest = self._rest, b""
        while True:
            cut = rest.rfind(b"\n") + 1
            if cut:
                block = rest[:cut]
                self.rows += block.count(b"\n")
                self.regular = self.regular and self._is_regular(block)
                yield block
            rest = rest[cut:]
            if len(rest) > LONGEST_LINE:
                for _ in self._inflated:  # if the gzip data is corrupt, its checksum is the better error
                    pass
                what = f"line {self.rows + 2} is longer than 1 MiB: these are not trip records"
                raise DamagedFile(self.subject, what, FETCH_AGAIN)
            piece = next(self._inflated, None)
            if piece is None:
                break
            self.csv_bytes += len(piece)
            rest += piece
        if rest:
            yield self._last_line(rest)
        if not self.rows:
            raise DamagedFile(self.subject, "it has a header and no rows", "Ask the source for the month again.")

    def _count(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            self._digest.update(chunk)
            yield chunk

    def _first_line(self) -> tuple[bytes, bytes]:
        start = b""
        for piece in self._inflated:
            self.csv_bytes += len(piece)
            start += piece
            line, end, rest = start.partition(b"\n")
            if end:
                return line + end, rest
            if len(start) > LONGEST_LINE:
                raise DamagedFile(self.subject, "its first MiB has no line end: this is not a trip file")
        if not start:
            raise DamagedFile(self.subject, "it is empty", "Ask the source for the month again.")
        return start, b""

    def _is_regular(self, block: bytes) -> bool:
        return self._regular_rows is None or self._regular_rows.holds(block)

    def _last_line(self, line: bytes) -> bytes:
        """Return the line after the last line end: whole if a gzip checksum covers it, else possibly cut."""
        whole = line + self.header.line_end
        self.rows += 1
        self.unterminated = not self._compressed
        self.regular = self.regular and not self.unterminated and self._is_regular(whole)
        return whole


if TYPE_CHECKING:
    from taxi_platform.trips.parquet import ParquetStream

    Stream = TripStream | ParquetStream
else:  # pyarrow takes long to import
    Stream = TripStream


class RegularRows:
    """Decides block by block whether every row is one that a database reads exactly as the parser would.

    It is strict: everything else goes through ``records``, which decides what is valid.
    A regular row has one field per column, and each field is empty or spelled like this:

    - a time: ``2019-03-01 00:10:16``, an hour below 24 and a second below 60;
    - a whole number: digits, with or without ``-``;
    - an amount: the same, with or without a point, and fewer than 29 digits in a row;
    - a code: ASCII characters, but no point, quote, backslash or colon;
    - any other text: ASCII characters, but no quote, backslash or colon.

    Of these, the database refuses what is not a number or a date, such as ``-`` or ``2019-02-30``. The test costs a few
    percent of a load, because it does not look at single fields, but at the shape of each line, which is what remains
    without its digits, and at the digits of all times of the block at once.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [_SHAPES["code" if column.is_code else column.postgres] for column in columns]
        self._known: set[bytes] = set()

    def holds(self, block: bytes) -> bool:
        """Return whether all lines of a block of whole lines are regular."""
        shapes = set(block[:-1].translate(None, _DIGITS).split(b"\n"))
        if len(self._known) > KNOWN_SHAPES:
            self._known.clear()
        for shape in shapes - self._known:
            if not self._is_regular(shape):
                return False
            self._known.add(shape)
        return _has_regular_digits(block)

    def _is_regular(self, shape: bytes) -> bool:
        fields = shape.removesuffix(b"\r").split(b",")
        return len(fields) == len(self._columns) and all(
            pattern.fullmatch(field) for pattern, field in zip(self._columns, fields, strict=True)
        )


def _has_regular_digits(block: bytes) -> bool:
    """Return whether all times have their 14 digits and no number is too long, in a block with regular shapes.

    Every operation works on all bytes at once: ``digits[4:]`` says of each byte whether the fourth after it is a digit.
    """
    import numpy as np

    text: Any = np.frombuffer(block, np.uint8)
    digits = (text - np.uint8(_ZERO)) < 10
    two = digits[:-1] & digits[1:]
    four = two[:-2] & two[2:]
    eight = four[:-4] & four[4:]
    sixteen = eight[:-8] & eight[8:]
    too_long = LONGEST_NUMBER + 1 - 16
    if (sixteen[:-too_long] & sixteen[too_long:]).any():
        return False
    colons = text == ord(":")
    starts = len(text) - len("2019-03-01 00:10:16")  # at least a line end follows each time
    if starts < 1:
        return not colons.any()
    times = four[:starts].copy()
    times[1:] &= ~digits[: starts - 1]
    for place, sign in ((4, "-"), (7, "-"), (10, " ")):
        times &= text[place : place + starts] == ord(sign)
    for place in (13, 16):
        times &= colons[place : place + starts]
    for place in (5, 8, 11, 14, 17):
        times &= two[place : place + starts]
    times &= ~digits[19 : 19 + starts]
    times &= (text[11 : 11 + starts] < _TWO) | (text[12 : 12 + starts] < _FOUR)  # hours
    times &= text[17 : 17 + starts] < _SIX  # seconds
    return 2 * int(times.sum()) == int(colons.sum())


def inflate(chunks: Iterable[bytes], subject: str) -> Iterator[bytes]:
    """Uncompress a gzip stream of one or more members, checking each member's length and CRC."""
    member = None
    rest = b""
    compressed = inflated = 0
    for chunk in chunks:
        compressed += len(chunk)
        rest += chunk
        while rest:
            if member is None:
                if len(rest) < 2:
                    break  # a magic number cut in two by the chunk's end
                if inflated and not rest.strip(b"\0"):
                    rest = b""  # zeros that tape and block devices append to a file; gzip ignores them too
                    break
                if rest[:2] != GZIP_MAGIC:
                    raise _not_gzip(subject, rest, inflated)
                member = isal_zlib.decompressobj(wbits=31)  # pyright: ignore[reportUnknownMemberType]
            for piece in _pieces(member, rest, subject, inflated):
                inflated += len(piece)
                if inflated > RATIO_FROM and inflated > LARGEST_RATIO * compressed:
                    raise DamagedFile(
                        subject,
                        f"{compressed:,} bytes of gzip became more than {inflated:,}: these are not trips",
                        "Look at the file at its source; trip files are about six times as large as their gzip.",
                    )
                yield piece
            rest = b""
            if member.eof:
                rest, member = member.unused_data, None
    if member is not None:
        what = f"the gzip data ends too early, after {inflated:,} uncompressed bytes: the file was cut off"
        raise DamagedFile(subject, what, FETCH_AGAIN)
    if rest and (not inflated or rest.strip(b"\0")):
        raise _not_gzip(subject, rest, inflated)


def _pieces(member: "isal_zlib.Decompress", data: bytes, subject: str, inflated: int) -> Iterator[bytes]:
    """Uncompress some bytes of a member, and yield at most ``LARGEST_PIECE`` at a time."""
    while True:
        try:
            piece = member.decompress(data, LARGEST_PIECE)
        except _CORRUPT as error:
            what = f"the gzip data is corrupt after {inflated:,} uncompressed bytes ({error})"
            raise DamagedFile(subject, what, FETCH_AGAIN) from None
        if piece:
            yield piece
        data = member.unconsumed_tail
        if member.eof or (not data and len(piece) < LARGEST_PIECE):
            return


def _not_gzip(subject: str, data: bytes, inflated: int) -> DamagedFile:
    what = f"{kind_of(data)} follows the gzip data" if inflated else f"it is not a gzip file, but {kind_of(data)}"
    return DamagedFile(subject, what, FETCH_AGAIN)

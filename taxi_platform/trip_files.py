"""TripFile, the reference that assets hand on, and TripStream, the one way in which a trip file is read.

A stream is verified while it is read: length, gzip checksums, header, line ends, rows counted. Judging the values of
single rows does not belong here (see ``records``), nor does where files come from (``sources``).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from isal import isal_zlib

from taxi_platform.failures import DamagedFile
from taxi_platform.headers import Header, match_header
from taxi_platform.months import Month
from taxi_platform.services import Service

CHUNK = 64 * 1024  # compressed bytes read at once: inflated about 0.5 MB, at worst (a gzip bomb) 64 MB a copy
LONGEST_LINE = 1024 * 1024  # bytes; a trip takes about 100, so that a longer line is no trip
GZIP_MAGIC = b"\x1f\x8b"

_BLANK_LINE = re.compile(rb"\n\r?\n")  # three times as fast here as looking for both spellings with ``in``
_POINT_ZERO = re.compile(rb"\.0[,\r\n]")

_CORRUPT = cast("type[Exception]", isal_zlib.error)  # isal's stubs declare it an instance
_FETCH_AGAIN = "Delete it and fetch it again; if that does not help, the file is broken at its source."


@dataclass(frozen=True)
class TripFile:
    """A verified file of one service and month, as it lies on disk.

    Attributes:
        service: ``green``, ``yellow`` or ``fhv``.
        month: the file's month; every row of the file belongs to it, wherever its pickup lies.
        path: where the file lies, byte for byte as it was published.
        source: the address or path that it came from.
        bytes: its size as published (compressed, when it is).
        csv_bytes: its size uncompressed.
        sha256: of the file as published, in lower-case hex.
        rows: the records after the header, good or bad.
        etag: the source's version of the file, where the source has one.
        modified: when the source says that it was changed last.
    """

    service: str
    month: Month
    path: Path
    source: str
    bytes: int
    csv_bytes: int
    sha256: str
    rows: int
    etag: str | None = None
    modified: str | None = None


def is_compressed(path: Path) -> bool:
    """Whether the name says that the file is gzipped."""
    return path.suffix == ".gz"


def read_chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """The bytes of a file, ``size`` at a time."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def inflate(chunks: Iterable[bytes], subject: str) -> Iterator[bytes]:
    """Uncompress a gzip stream of one or more members, checking each member's length and CRC.

    Raises:
        DamagedFile: it is not gzip, is cut off, fails a checksum, or has something else behind its end.
    """
    member = None
    rest = b""
    inflated = 0
    for chunk in chunks:
        rest += chunk
        while rest:
            if member is None:
                if len(rest) < 2:
                    break  # a magic number cut in two by the chunk's end
                if rest[:2] != GZIP_MAGIC:
                    if inflated and _is_padding(rest):
                        rest = b""
                        break
                    raise _not_gzip(subject, rest, inflated)
                member = isal_zlib.decompressobj(wbits=31)  # pyright: ignore[reportUnknownMemberType]
            try:
                block = member.decompress(rest)  # pyright: ignore[reportUnknownMemberType]
            except _CORRUPT as error:
                raise DamagedFile(
                    subject, f"the gzip data is corrupt after {inflated:,} uncompressed bytes ({error})", _FETCH_AGAIN
                ) from None
            rest = b""
            inflated += len(block)
            if block:
                yield block
            if member.eof:
                rest, member = member.unused_data, None
    if member is not None:
        raise DamagedFile(
            subject,
            f"the gzip data ends too early, after {inflated:,} uncompressed bytes: the file was cut off",
            _FETCH_AGAIN,
        )
    if rest and not (inflated and _is_padding(rest)):
        raise _not_gzip(subject, rest, inflated)


def _is_padding(data: bytes) -> bool:
    """Whether these are the zeros that tape and block devices leave behind a file; gzip ignores them too."""
    return not data.strip(b"\0")


def _not_gzip(subject: str, data: bytes, inflated: int) -> DamagedFile:
    if inflated:
        return DamagedFile(subject, f"something that is not gzip follows the gzip data: {data[:40]!r}", _FETCH_AGAIN)
    page = " (a web page, as servers send it in place of a file)" if data.lstrip()[:1] == b"<" else ""
    return DamagedFile(subject, f"not a gzip file: it begins with {data[:40]!r}{page}", _FETCH_AGAIN)


class TripStream:
    """One pass over the bytes of a trip file, from which blocks of whole lines come out.

    The header is read and matched on construction. Once ``blocks`` is exhausted, the counts are final.

    Args:
        chunks: the file's bytes, in pieces of any size.
        service: the contract that the header must keep.
        month: the file's month, for messages.
        compressed: whether the bytes are gzipped.
        sees_blank_lines: whether blank lines are looked for. Where COPY takes the blocks they need not be, for it
            refuses such a line; the search is half of what all checks cost.

    Attributes:
        header: which columns come in which order.
        bytes: bytes read so far.
        csv_bytes: uncompressed bytes so far.
        rows: lines after the header so far; the number of records when the stream is ``regular``.
        unterminated: whether the last line had no line end and no checksum vouches for it, so that it may be cut.
        regular: whether nothing was seen that needs the careful reading of ``records``: no quotes, backslashes, blank
            lines, codes spelled ``1.0`` nor an unterminated last line.

    Raises:
        DamagedFile: the file is empty, no gzip, cut off, has no line ends, or no rows.
        SchemaMismatch: the header does not keep the contract.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        service: Service,
        month: Month,
        *,
        compressed: bool,
        sees_blank_lines: bool = True,
    ) -> None:
        self.subject = service.file_name(month)
        self.bytes = 0
        self.csv_bytes = 0
        self.rows = 0
        self.regular = True
        self.unterminated = False
        self._compressed = compressed
        self._sees_blank_lines = sees_blank_lines
        self._digest = hashlib.sha256()
        counted = self._count(chunks)
        self._inflated = inflate(counted, self.subject) if compressed else counted
        line, self._rest = self._first_line()
        self.header: Header = match_header(service, line, self.subject)

    @property
    def sha256(self) -> str:
        """The checksum of the bytes read so far, in lower-case hex."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """Blocks of whole lines, without the header, each line with its own line end."""
        rest, self._rest = self._rest, b""
        while True:
            cut = rest.rfind(b"\n") + 1
            if cut:
                block = rest[:cut]
                self.rows += block.count(b"\n")
                self.regular = self.regular and self._looks_regular(block)
                yield block
            rest = rest[cut:]
            if len(rest) > LONGEST_LINE:
                for _ in self._inflated:  # corrupt gzip data names itself at its checksum
                    pass
                raise DamagedFile(
                    self.subject, f"line {self.rows + 2} is longer than 1 MiB: these are no trip records", _FETCH_AGAIN
                )
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
                raise DamagedFile(self.subject, "its first MiB has no line end: this is no trip file")
        if not start:
            raise DamagedFile(self.subject, "it is empty", "Ask the source for the month again.")
        return start, b""

    def _looks_regular(self, block: bytes) -> bool:
        if b'"' in block or b"\\" in block:
            return False
        if self._sees_blank_lines and (block[:1] in (b"\n", b"\r") or _BLANK_LINE.search(block)):
            return False
        if not self.header.has_decimals:
            return _POINT_ZERO.search(block) is None
        # A look at one row will do here: what makes floats of codes makes floats of counts too, which COPY refuses.
        first = block[: block.find(b"\n")].rstrip(b"\r").split(b",")
        return not self.header.spells_codes_as_floats(first)

    def _last_line(self, line: bytes) -> bytes:
        """The line behind the last line end: whole if a gzip checksum vouches for it, else suspected to be cut."""
        whole = line + self.header.line_end
        self.rows += 1
        self.unterminated = not self._compressed
        self.regular = self.regular and not self.unterminated and self._looks_regular(whole)
        return whole

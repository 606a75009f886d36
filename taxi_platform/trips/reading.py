"""TripStream, the one way in which a trip file is read.

A stream is verified while it is read: gzip checksums, header, line ends, and rows are counted. The values of single
rows do not belong here (see ``records``), nor does where files come from (``sources``).
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from isal import isal_zlib

from taxi_platform.errors import DamagedFile
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.regular import RegularRows
from taxi_platform.trips.services import Service

CHUNK = 64 * 1024  # compressed bytes read at once: inflated about 0.5 MB
LARGEST_PIECE = 2 * 1024 * 1024  # bytes inflated at once, however well the file is compressed
LONGEST_LINE = 1024 * 1024  # bytes; a trip takes about 100, so a longer line is not a trip
GZIP_MAGIC = b"\x1f\x8b"
FETCH_AGAIN = "Delete it and fetch it again; if that does not help, the file is broken at its source."

_CORRUPT = cast("type[Exception]", isal_zlib.error)  # isal's stubs declare it an instance


def is_compressed(path: Path) -> bool:
    """Whether the name says that the file is gzipped."""
    return path.suffix == ".gz"


def read_chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """The bytes of a file, ``size`` at a time."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


class TripStream:
    """One pass over the bytes of a trip file, from which blocks of whole lines come out.

    The header is read and matched on construction. Once ``blocks`` is exhausted, the counts are final.

    Args:
        chunks: the file's bytes, in pieces of any size.
        service: the contract that the header must keep.
        month: the file's month, for messages.
        compressed: whether the bytes are gzipped.

    Attributes:
        header: which columns come in which order.
        bytes: bytes read so far.
        csv_bytes: uncompressed bytes so far.
        rows: lines after the header so far; the number of records when the stream is ``regular``.
        unterminated: whether the last line had no line end and no checksum vouches for it, so that it may be cut.
        regular: whether all lines so far are regular, so that they need not go through the parser in ``records``.

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
    ) -> None:
        self.subject = service.file_name(month)
        self.bytes = 0
        self.csv_bytes = 0
        self.rows = 0
        self.regular = True
        self.unterminated = False
        self._compressed = compressed
        self._digest = hashlib.sha256()
        counted = self._count(chunks)
        self._inflated = inflate(counted, self.subject) if compressed else counted
        line, self._rest = self._first_line()
        self.header: Header = match_header(service, line, self.subject, month)
        self._regular_rows = RegularRows(self.header.columns)

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
                self.regular = self.regular and self._regular_rows.holds(block)
                yield block
            rest = rest[cut:]
            if len(rest) > LONGEST_LINE:
                for _ in self._inflated:  # corrupt gzip data names itself at its checksum
                    pass
                raise DamagedFile(
                    self.subject, f"line {self.rows + 2} is longer than 1 MiB: these are no trip records", FETCH_AGAIN
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

    def _last_line(self, line: bytes) -> bytes:
        """The line behind the last line end: whole if a gzip checksum vouches for it, else suspected to be cut."""
        whole = line + self.header.line_end
        self.rows += 1
        self.unterminated = not self._compressed
        self.regular = self.regular and not self.unterminated and self._regular_rows.holds(whole)
        return whole


def inflate(chunks: Iterable[bytes], subject: str) -> Iterator[bytes]:
    """Uncompress a gzip stream of one or more members, checking each member's length and CRC.

    Raises:
        DamagedFile: the stream is not gzip, is cut off, fails a checksum, or something else follows its end.
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
            for piece in _pieces(member, rest, subject, inflated):
                inflated += len(piece)
                yield piece
            rest = b""
            if member.eof:
                rest, member = member.unused_data, None
    if member is not None:
        raise DamagedFile(
            subject,
            f"the gzip data ends too early, after {inflated:,} uncompressed bytes: the file was cut off",
            FETCH_AGAIN,
        )
    if rest and not (inflated and _is_padding(rest)):
        raise _not_gzip(subject, rest, inflated)


def _pieces(member: "isal_zlib.Decompress", data: bytes, subject: str, inflated: int) -> Iterator[bytes]:
    """Return what some compressed bytes of a member become, at most ``LARGEST_PIECE`` at a time."""
    while True:
        try:
            piece = member.decompress(data, LARGEST_PIECE)
        except _CORRUPT as error:
            raise DamagedFile(
                subject, f"the gzip data is corrupt after {inflated:,} uncompressed bytes ({error})", FETCH_AGAIN
            ) from None
        if piece:
            yield piece
        data = member.unconsumed_tail
        if member.eof or (not data and len(piece) < LARGEST_PIECE):
            return


def _is_padding(data: bytes) -> bool:
    """Return whether these are the zeros that tape and block devices append to a file; gzip ignores them too."""
    return not data.strip(b"\0")


def _not_gzip(subject: str, data: bytes, inflated: int) -> DamagedFile:
    if inflated:
        return DamagedFile(subject, f"something that is not gzip follows the gzip data: {data[:40]!r}", FETCH_AGAIN)
    page = " (a web page, as servers send it instead of a file)" if data.lstrip()[:1] == b"<" else ""
    return DamagedFile(subject, f"not a gzip file: it begins with {data[:40]!r}{page}", FETCH_AGAIN)

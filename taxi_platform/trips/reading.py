"""TripStream, the one way in which a trip file is read.

A stream is verified while it is read: length, gzip checksums, header, line ends, rows counted. Judging the values of
single rows does not belong here (see ``records``), nor does where files come from (``sources``).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from taxi_platform.errors import DamagedFile
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.inflating import FETCH_AGAIN, inflate
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

CHUNK = 64 * 1024  # compressed bytes read at once: inflated about 0.5 MB, at worst (a gzip bomb) 64 MB a copy
LONGEST_LINE = 1024 * 1024  # bytes; a trip takes about 100, so that a longer line is no trip

_BLANK_LINE = re.compile(rb"\n\r?\n")  # three times as fast here as looking for both spellings with ``in``
_POINT_ZERO = re.compile(rb"\.0[,\r\n]")


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

"""Uncompressing a gzip stream, with every check that the format offers. What the stream holds is not looked at."""

from collections.abc import Iterable, Iterator
from typing import cast

from isal import isal_zlib

from taxi_platform.errors import DamagedFile

GZIP_MAGIC = b"\x1f\x8b"
FETCH_AGAIN = "Delete it and fetch it again; if that does not help, the file is broken at its source."

_CORRUPT = cast("type[Exception]", isal_zlib.error)  # isal's stubs declare it an instance


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
                    subject, f"the gzip data is corrupt after {inflated:,} uncompressed bytes ({error})", FETCH_AGAIN
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
            FETCH_AGAIN,
        )
    if rest and not (inflated and _is_padding(rest)):
        raise _not_gzip(subject, rest, inflated)


def _is_padding(data: bytes) -> bool:
    """Whether these are the zeros that tape and block devices leave behind a file; gzip ignores them too."""
    return not data.strip(b"\0")


def _not_gzip(subject: str, data: bytes, inflated: int) -> DamagedFile:
    if inflated:
        return DamagedFile(subject, f"something that is not gzip follows the gzip data: {data[:40]!r}", FETCH_AGAIN)
    page = " (a web page, as servers send it in place of a file)" if data.lstrip()[:1] == b"<" else ""
    return DamagedFile(subject, f"not a gzip file: it begins with {data[:40]!r}{page}", FETCH_AGAIN)

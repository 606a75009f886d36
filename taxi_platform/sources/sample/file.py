"""Writing a made-up month as a published file is: one gzip member, header first, in bounded memory.

Blocks are made and compressed by several threads and written in their order. Slow to import, as numpy is.
"""

import os
import struct
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from isal import isal_zlib

from taxi_platform.errors import disk_errors
from taxi_platform.sources.sample.blocks import Block, Plan
from taxi_platform.sources.sample.texts import LINE_END
from taxi_platform.sources.sample.trips import csv_of_block
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

MOST_THREADS = 4  # each holds a block of about 10 MB
LEVEL = 1

_GZIP_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # deflate; no flags, no time, no name, no operating system
_LAST_BLOCK = b"\x03\x00"  # an empty deflate block that says that it is the last


class _Piece(NamedTuple):
    deflated: bytes
    crc: int
    size: int


def write_month(service: Service, month: Month, rows: int, target: Path) -> None:
    """Write a made-up month with exactly ``rows`` rows to ``target``, a ``.csv.gz``, over whatever is there.

    The uncompressed bytes depend on service, month, rows and ``GENERATION`` alone.

    Raises:
        StorageFull: ``target`` cannot be written.
        ValueError: ``rows`` is not from 1 to ``MOST_ROWS``, or the month is not from 2009 to 2099.
    """
    plan = Plan(service, month, rows)
    with disk_errors(target), target.open("wb") as file:
        file.write(_GZIP_HEADER)
        crc = size = 0
        with closing(_pieces(plan)) as pieces:
            for piece in pieces:
                file.write(piece.deflated)
                crc = isal_zlib.crc32_combine(crc, piece.crc, piece.size)
                size += piece.size
        file.write(_LAST_BLOCK + struct.pack("<II", crc, size & 0xFFFF_FFFF))


def _pieces(plan: Plan) -> Generator[_Piece]:
    """The header's piece, then the blocks', in order, at most two a thread under way."""
    header = ",".join(column.source for column in plan.service.columns) + LINE_END
    yield _deflate(header.encode())
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    under_way: deque[Future[_Piece]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="sample") as pool:
        for block in plan.blocks():
            if len(under_way) == 2 * threads:
                yield under_way.popleft().result()
            under_way.append(pool.submit(_make, plan, block))
        while under_way:
            yield under_way.popleft().result()


def _make(plan: Plan, block: Block) -> _Piece:
    return _deflate(csv_of_block(plan, block))


def _deflate(data: bytes) -> _Piece:
    """Data compressed by itself, so that pieces can be laid end to end in one gzip member."""
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)  # pyright: ignore[reportUnknownMemberType]
    deflated = compressor.compress(data)  # pyright: ignore[reportUnknownMemberType]
    deflated += compressor.flush(isal_zlib.Z_SYNC_FLUSH)
    crc = isal_zlib.crc32(data)  # pyright: ignore[reportUnknownMemberType]
    return _Piece(deflated, crc, len(data))

"""The time that checking the stream adds to a load, and the virtual column to a COPY."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from psycopg import Connection

from benchmarks.load_speed import MONTH
from benchmarks.pairs import Pairs, in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres import loader, tables
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.loader import copy_blocks
from taxi_platform.postgres.preparing import prepare
from taxi_platform.trips import reading
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.reading import TripStream, read_chunks
from taxi_platform.trips.services import YELLOW

MOST_SHARE = 0.05
IDENTIFIED, PLAIN = "public.with_identifier", "public.without_identifier"


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare a load with one whose stream is only decompressed and copied."""
    file = bench.file(YELLOW, MONTH, rows)

    checking, trusting = TripStream, _trusting(file)
    processor: dict[type[TripStream], list[float]] = {checking: [], trusting: []}

    def load(stream: type[TripStream]) -> float:
        bench.empty()
        before = time.process_time()
        with patch.object(reading, "TripStream", stream):
            seconds = loader.load_month(bench.url, file).seconds
        processor[stream].append(time.process_time() - before)
        return seconds

    pairs = in_pairs(lambda: load(checking), lambda: load(trusting), 2 * count)
    yield _finding(f"SHA-256, rows and regularity checked in a load of {rows:,} rows", pairs, "the client's", processor)
    bench.empty()


def measure_identifier(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare a COPY into a table with ``unique_row_id`` with a COPY into one without."""
    file = bench.file(YELLOW, MONTH, rows)
    bench.empty()
    with connect(bench.url) as connection:
        prepare(connection, YELLOW)

    processor: dict[str, list[float]] = {IDENTIFIED: [], PLAIN: []}
    pairs = in_pairs(
        lambda: _copy(bench, file, IDENTIFIED, processor), lambda: _copy(bench, file, PLAIN, processor), 2 * count
    )
    yield _finding(f"unique_row_id, a virtual column, in a COPY of {rows:,} rows", pairs, "the server's", processor)
    bench.empty(IDENTIFIED, PLAIN)


def _trusting(file: TripFile) -> type[TripStream]:
    """Return a stream class that takes the checksum and row count from the file instead of computing them."""

    class TrustingStream(TripStream):
        sha256 = file.sha256

        def blocks(self) -> Iterator[bytes]:
            rest, self.rows = self._rest, file.rows
            for piece in self._inflated:
                rest += piece
                cut = rest.rfind(b"\n") + 1
                yield rest[:cut]
                rest = rest[cut:]

        def _count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
            return iter(chunks)

    return TrustingStream


def _copy(bench: Workbench, file: TripFile, table: str, processor: Mapping[str, list[float]]) -> float:
    """Return the seconds of a COPY over two connections into a new table; append the server's processor time."""
    with connect(bench.url) as first, connect(bench.url) as second:
        _create(first, table)
        stream = TripStream(read_chunks(file.path), YELLOW, MONTH, compressed=True)
        names = ", ".join(column.name for column in stream.header.columns)
        backends = [connection.info.backend_pid for connection in (first, second)]
        before, started = sum(map(_processor_time, backends)), time.perf_counter()
        copy_blocks(stream.blocks(), [first, second], f"copy {table} ({names}) from stdin (format csv)")
        seconds = time.perf_counter() - started
        processor[table].append(sum(map(_processor_time, backends)) - before)
    return seconds


def _create(connection: Connection, table: str) -> None:
    execute(connection, f"drop table if exists {IDENTIFIED}, {PLAIN}")
    execute(connection, f"create table {table} (like {tables.table_of(YELLOW)} including generated)")
    if table == PLAIN:
        execute(connection, f"alter table {table} drop column unique_row_id")
    execute(connection, f"alter table {table} alter column filename set default 'yellow_tripdata.csv'")
    execute(connection, "checkpoint")
    os.sync()


def _processor_time(process: int) -> float:
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _finding(what: str, pairs: Pairs, whose: str, processor: Mapping[Any, list[float]]) -> Finding:
    share = median(pairs.shares)
    times = " against ".join(f"{spread(seconds)} s" for seconds in processor.values())
    return Finding(
        what,
        f"≤ {MOST_SHARE:.0%} of the time",
        f"{spread([100 * share for share in pairs.shares], '{:+.1f}')} %",
        share <= MOST_SHARE,
        f"{spread(pairs.ours)} s with, {spread(pairs.other)} s without, {len(pairs.ours)} pairs; "
        f"{whose} processor time {times}",
    )

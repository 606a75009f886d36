"""Files that were changed at random are loaded exactly, quarantined with reasons, or refused, whichever path they take.

10,000 files by default; ``make fuzz`` takes 100,000. A failure names the number of its file: ``mutated(number)``.
"""

import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg
import pytest

from taxi_platform.errors import BadRows, DamagedFile, SchemaMismatch
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect
from taxi_platform.trips.columns import Column
from taxi_platform.trips.reading import TripStream
from taxi_platform.trips.records import Canonical, Record, count_records, read_records
from taxi_platform.trips.services import SERVICES, Service
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.mutated_files import MutatedFile, mutated
from taxi_platform_tests.support.trip_texts import MARCH, stream

FILES = int(os.environ.get("TAXI_FUZZ_FILES", "10000"))
SLICE = 1_000
WHOLE_LOADS = 10  # files of each slice that go through the cache and the loader
LONGEST_MESSAGE = 2_000


@dataclass(frozen=True)
class Read:
    """How the platform reads a file: why it is refused, or its lines and records."""

    file: MutatedFile
    refused: str = ""
    columns: Sequence[Column] = ()
    body: bytes = b""
    regular: bool = False
    records: Sequence[Record] = ()
    canonical: bytes = b""

    @cached_property
    def good(self) -> list[tuple[str, ...]]:
        """The values of the good rows, in the contract's order."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        order = [places.get(column.name, -1) for column in self.file.service.columns]  # -1: the empty value at the end
        rows = [(*record.values, "") for record in self.records if not record.problem]
        return [tuple([row[place] for place in order]) for row in rows]

    @cached_property
    def bad(self) -> list[Record]:
        return [record for record in self.records if record.problem]


def read(file: MutatedFile) -> Read:
    """Read a file as the cache and the loader do, without a database."""

    def again() -> TripStream:
        return stream(file.content, file.service, is_regular=False)  # as the first pass found

    try:
        whole = stream(file.content, file.service)
        body = b"".join(whole.blocks())
        counted = whole.rows if whole.regular else count_records(again())
    except (DamagedFile, SchemaMismatch) as error:
        return Read(file, refused=str(error))
    records = list(read_records(again()))
    assert counted == len(records)
    canonical = Canonical(again(), file.service, io.BytesIO())
    rewritten = b"".join(canonical.blocks())
    assert (canonical.rows, canonical.rejected) == (
        sum(not record.problem for record in records),
        sum(bool(record.problem) for record in records),
    )
    return Read(file, "", whole.header.columns, body, whole.regular, records, rewritten)


@contextmanager
def naming(file: MutatedFile) -> Iterator[None]:
    """Name the file in every failure."""
    try:
        yield
    except Exception as error:
        what = f"mutated({file.seed}) of {file.service.name}, {', '.join(file.mutations)}"
        raise AssertionError(f"{what}: {error}") from error


# Without a database


def check_that_nothing_is_lost(result: Read) -> None:
    """Compare the records with the lines of the file: every line that is not blank is in one record."""
    spelled = result.body.decode("utf-8", "backslashreplace").replace("\0", "\\x00").replace("\r", "")
    in_records = "\n".join(record.text.replace("\r", "") for record in result.records)
    assert [line for line in spelled.split("\n") if line] == [line for line in in_records.split("\n") if line]
    for record in result.records:
        assert bool(record.problem) != bool(record.values)
        assert len(record.problem or "") < 300


def check_that_good_rows_are_kept(result: Read) -> None:
    """Compare rows that nobody changed with the values that they were made of."""
    if any("\n" in record.text for record in result.records) or result.columns != result.file.service.columns:
        return  # a quote may legally join a good row with another line; columns may be in another order
    originals = set(result.file.originals)
    lines = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in result.body.split(b"\n")]
    kept = [record for record in result.records if record.text in originals]
    assert [line for line in lines if line in originals] == [record.text for record in kept]
    for record in kept:
        if record.problem == "the last line has no line end: the file may be cut off":
            continue
        for text, value, column in zip(record.text.split(","), record.values, result.columns, strict=True):
            assert value == (f"{float(text):g}" if text and column.postgres == "double precision" else text)


def check_that_the_canonical_file_means_the_same(result: Read) -> None:
    """Check that the canonical CSV has the same values and no bad row."""
    if result.good:
        names = ",".join(column.source for column in result.file.service.columns)
        again = names.encode() + b"\n" + result.canonical
        records = list(read_records(stream(again, result.file.service, is_regular=False)))
        assert [record.problem for record in records if record.problem] == []
        assert [record.values for record in records] == result.good


# With PostgreSQL


@contextmanager
def loading_table(connection: "psycopg.Connection[Any]", service: Service) -> Iterator[None]:
    """Create the table into which a month is copied, and roll everything back afterwards."""
    with connection.transaction(force_rollback=True):
        connection.execute(tables.create_table(service, connection.info.server_version).encode())
        connection.execute(tables.create_loading(service, MARCH).encode())
        yield


def copied(
    connection: "psycopg.Connection[Any]", service: Service, columns: Sequence[Column], data: bytes
) -> list[tuple[str, ...]]:
    """Return the rows that PostgreSQL makes of CSV lines, in their order, and empty the table again."""
    table = tables.loading_of(service, MARCH)
    names = ", ".join(f'"{column.name}"' for column in columns)
    with connection.cursor() as cursor, connection.transaction():
        with cursor.copy(f"copy {table} ({names}) from stdin (format csv)".encode()) as copy:
            copy.write(data)
        names = ", ".join(f"coalesce({column.name}::text, '')" for column in service.columns)
        found = cursor.execute(f"select {names} from {table} order by ctid".encode()).fetchall()
        cursor.execute(f"truncate {table}".encode())
        return found


def check_both_paths(connection: "psycopg.Connection[Any]", results: Sequence[Read]) -> None:
    """Compare the parser's rows with those that PostgreSQL copies from regular files and from canonical files."""
    for service in SERVICES.values():
        accepted = [result for result in results if result.file.service is service and not result.refused]
        with loading_table(connection, service):
            compare(connection, service, service.columns, [(result, result.canonical) for result in accepted])
            by_order = defaultdict[Any, list[tuple[Read, bytes]]](list)
            for result in accepted:
                crs, crlfs = result.body.count(b"\r"), result.body.count(b"\r\n")
                one_end = crs == crlfs and crs in (0, result.body.count(b"\n"))
                if result.regular and not result.bad and one_end:
                    by_order[(tuple(result.columns), crs == 0)].append((result, result.body))
                elif result.regular:  # PostgreSQL must refuse it, so that the loader turns to the parser
                    with naming(result.file), pytest.raises(psycopg.DataError):
                        copied(connection, service, result.columns, result.body)
            for (columns, _), files in by_order.items():
                compare(connection, service, columns, files)


def compare(
    connection: "psycopg.Connection[Any]",
    service: Service,
    columns: Sequence[Column],
    files: Sequence[tuple[Read, bytes]],
) -> None:
    found = copied(connection, service, columns, b"".join(data for _, data in files))
    assert len(found) == sum(len(result.good) for result, _ in files)
    start = 0
    for result, _ in files:
        with naming(result.file):
            assert found[start : start + len(result.good)] == result.good
        start += len(result.good)


def check_whole_load(loads: Loads, result: Read) -> str:
    """Load a file through the cache and the loader, and compare the table, the rejects and the record."""
    file = result.file
    try:
        loaded = loads.load(file.content, file.service, max_bad_rows=1, force=True)
    except (DamagedFile, SchemaMismatch):
        assert result.refused
        return "refused"
    except BadRows:
        assert len(result.bad) * 20 > len(result.records)
        return "too many bad rows"
    assert (loaded.rows, loaded.rejected) == (len(result.good), len(result.bad))
    names = ", ".join(f"coalesce({column.name}::text, '')" for column in file.service.columns)
    assert sorted(loads.ask(f"select {names} from {file.service.table}")) == sorted(result.good)
    rejects = loads.ask(f"select line, text, reason from {file.service.table}_rejects order by line")
    assert rejects == [(record.line, record.text, record.problem) for record in result.bad]
    return "loaded"


@pytest.mark.parametrize("first", range(0, FILES, SLICE))
def test_every_mutated_file_is_loaded_exactly_or_quarantined_or_refused(
    first: int, database: str, tmp_path, record_property: Any
) -> None:
    results: list[Read] = []
    for seed in range(first, min(first + SLICE, FILES)):
        file = mutated(seed)
        with naming(file):
            result = read(file)
            if result.refused:
                assert result.refused.startswith(f"{file.service.name}_tripdata_2019-03.csv: ")
                assert len(result.refused) <= LONGEST_MESSAGE
            else:
                check_that_nothing_is_lost(result)
                check_that_good_rows_are_kept(result)
                check_that_the_canonical_file_means_the_same(result)
        results.append(result)
    with connect(database) as connection:
        check_both_paths(connection, results)
    loads, outcomes = Loads(tmp_path, database), Counter[str]()
    for result in results[:: SLICE // WHOLE_LOADS]:
        with naming(result.file):
            outcomes[check_whole_load(loads, result)] += 1
    kinds = Counter(kind_of_result(result) for result in results)
    first_to_last = f"{first:,} to {first + len(results) - 1:,}"
    print(f"files {first_to_last}: {dict(kinds)}; of whole loads: {dict(outcomes)}")
    assert len(results) < SLICE or min(kinds.values()) > 20


def kind_of_result(result: Read) -> str:
    """Return the outcome of a file."""
    if result.refused:
        return "refused"
    if result.bad:
        return "with bad rows" if result.good else "only bad rows"
    return "copied as it is" if result.regular else "parsed"

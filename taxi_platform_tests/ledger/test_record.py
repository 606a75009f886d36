"""The state of a month, as it follows from its record."""

from dataclasses import replace
from datetime import timedelta

import pytest

from taxi_platform.ledger.reading import Ledger
from taxi_platform.ledger.record import Attempt, Materialized, MonthRecord, RunOutcome, Waiting
from taxi_platform.trips.files import FileFacts, SourceVersion
from taxi_platform.trips.keys import raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_records import NOW, load_record

RAW = Materialized(
    order=10,
    run_id="run-of-raw",
    timestamp=NOW.timestamp(),
    version=SourceVersion('"v1"', "Tue", 1000),
    facts=FileFacts(1000, 9000, "aaa", 50),
)
TABLE = Materialized(
    order=11,
    run_id="run-of-table",
    timestamp=NOW.timestamp(),
    version=SourceVersion(None, None, 1000),
    facts=FileFacts(1000, 9000, "aaa", 50),
    rows_loaded=49,
)
OTHER_FACTS = FileFacts(1001, 9001, "bbb", 50)
SAME, OTHER = SourceVersion('"v1"', "Tue", 1000), SourceVersion('"v2"', "Wed", 1001)


def record(
    *,
    table: Materialized | None = None,
    raw: Materialized | None = None,
    attempt: Attempt | None = None,
    **values: object,
) -> MonthRecord:
    made = {raw_key(GREEN.table): raw, table_key(GREEN.table): table}
    return MonthRecord(
        service=GREEN,
        month=Month(2019, 3),
        materialized={key: materialized for key, materialized in made.items() if materialized},
        attempts={table_key(GREEN.table): attempt} if attempt else {},
        **values,  # pyright: ignore[reportArgumentType]
    )


def in_place(**values: object) -> MonthRecord:
    """Return the record of a loaded month, with these values replaced."""
    usual = {"table": TABLE, "raw": RAW, "loaded": load_record(49), "tables_known": True}
    return record(**{**usual, **values})  # pyright: ignore[reportArgumentType]


def attempt(outcome: RunOutcome) -> Attempt:
    return Attempt("12345678-9", outcome, NOW)


NEWER_RAW = replace(RAW, order=12, facts=OTHER_FACTS)
LATER, BEFORE = Waiting("abcdefgh", NOW + timedelta(seconds=1)), Waiting("abcdefgh", NOW)
IN_PLACE, MISSING = ("materialized", ""), ("missing", "")
IN_RUN, IN_BACKFILL = ("in progress", "run 12345678"), ("in progress", "backfill abcdefgh")
GONE = ("missing", "recorded, but not in the table any more")
NEWER = ("file changed", "the raw file is newer than the table")
REFUSED = ("failed", "an older version accepted values in vendorid that are read differently now")
WITHOUT_COLUMN = ("file changed", "TAXI_ON_NEW_COLUMNS would add new_fee now")
OTHER_EDITION = ("file changed", "the source has another edition, parquet instead of csv")
OTHER_VERSION = ("file changed", "the source has another version")


@pytest.mark.parametrize(
    ("month", "state_and_note"),
    [
        # Dagster's record, and the table if the database could be queried
        (record(), MISSING),
        (in_place(), IN_PLACE),
        (in_place(loaded=None, tables_known=False), IN_PLACE),
        (in_place(loaded=None), GONE),
        (in_place(table=None), ("missing", "in the table, but not recorded")),
        (in_place(failed_checks=("a", "b")), ("failed", "check a, b")),
        (in_place(loaded=replace(load_record(), refused="vendorid")), REFUSED),
        (in_place(loaded=replace(load_record(), ignored="new_fee", would_have_more=True)), WITHOUT_COLUMN),
        # The latest run that tried to load the table
        (record(attempt=attempt("unfinished")), IN_RUN),
        (in_place(attempt=attempt("unfinished")), IN_RUN),
        (in_place(attempt=attempt("unfinished"), loaded=None), IN_RUN),
        (in_place(attempt=attempt("failed")), ("failed", "run 12345678")),
        (record(attempt=attempt("cancelled")), MISSING),
        (in_place(attempt=attempt("cancelled")), IN_PLACE),
        (replace(in_place(), attempts={raw_key(GREEN.table): attempt("failed")}), IN_PLACE),
        # A backfill that has not loaded the month yet, or has by now
        (record(waiting=LATER), IN_BACKFILL),
        (record(waiting=LATER, attempt=attempt("failed")), IN_BACKFILL),
        (in_place(waiting=LATER), IN_BACKFILL),
        (in_place(waiting=BEFORE), IN_PLACE),
        # The raw file
        (in_place(raw=NEWER_RAW), NEWER),
        (in_place(raw=NEWER_RAW, tables_known=False), NEWER),
        (in_place(raw=NEWER_RAW, loaded=load_record(sha256="bbb")), IN_PLACE),
        (in_place(raw=replace(RAW, order=12)), IN_PLACE),
        (in_place(raw=replace(RAW, facts=OTHER_FACTS)), IN_PLACE),  # older than the table, so it proves nothing
        # The source
        (in_place(published=SAME), IN_PLACE),
        (in_place(published=OTHER), OTHER_VERSION),
        (in_place(published=SourceVersion('"v1"', "Wed", None)), OTHER_VERSION),
        (in_place(published=SourceVersion(None, None, 5)), IN_PLACE),
        (in_place(published=OTHER, raw=replace(RAW, landed=True)), IN_PLACE),
        (in_place(published=OTHER, raw=replace(RAW, version=SourceVersion(None, None, 1000))), IN_PLACE),
        (in_place(published=OTHER, raw=None), IN_PLACE),
        (record(published=OTHER, raw=RAW, tables_known=True), MISSING),
        (in_place(address="https://host/x.csv"), IN_PLACE),
        (in_place(address="https://host/x.parquet"), OTHER_EDITION),
        (in_place(address="https://host/x.parquet", published=OTHER, raw=NEWER_RAW), OTHER_EDITION),
        (in_place(address="https://host/x.parquet", raw=replace(RAW, landed=True)), IN_PLACE),
    ],
)
def test_the_state_of_a_month_follows_from_its_record(month: MonthRecord, state_and_note: tuple[str, str]) -> None:
    assert (month.state, month.note) == state_and_note


@pytest.mark.parametrize(
    ("month", "rows", "file_bytes", "last_run"),
    [
        (record(), 0, 0, None),
        (in_place(), 49, 1000, TABLE),
        (in_place(loaded=None), 0, 0, TABLE),
        (in_place(loaded=None, tables_known=False), 49, 1000, TABLE),
        (in_place(table=None), 49, 1000, None),
        (in_place(attempt=attempt("failed")), 49, 1000, attempt("failed")),
    ],
)
def test_the_rows_of_a_month_are_those_of_the_table_if_it_could_be_read(
    month: MonthRecord, rows: int, file_bytes: int, last_run: object
) -> None:
    assert (month.rows, month.file_bytes, month.last_run) == (rows, file_bytes, last_run)


def test_only_a_month_that_can_be_loaded_or_is_loaded_has_a_state() -> None:
    failed = Attempt("12345678-9", "failed", NOW)
    months = {
        Month(2018, 11): record(attempt=failed, is_partition=False),
        Month(2018, 12): in_place(is_partition=False),
        Month(2019, 1): record(),
    }
    found = Ledger({"green": months}).shown()["green"]
    assert {str(month): (state.state, state.is_partition) for month, state in found.items()} == {
        "2018-12": ("materialized", False),
        "2019-01": ("missing", True),
    }

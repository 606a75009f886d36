"""The state of a month, from all that is known of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from taxi_platform.ledger.reading import Ledger
from taxi_platform.ledger.record import Attempt, Materialized, MonthRecord, Waiting
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
    """Return the record of a loaded month, different where the values say so."""
    usual = {"table": TABLE, "raw": RAW, "loaded": load_record(49), "tables_known": True}
    return record(**{**usual, **values})  # pyright: ignore[reportArgumentType]


def state_and_note(found: MonthRecord) -> tuple[str, str]:
    return found.state, found.note


def test_a_month_that_is_recorded_and_in_its_table_is_materialized() -> None:
    found = in_place()
    assert (found.state, found.note) == ("materialized", "")
    assert (found.rows, found.file_bytes, found.last_run) == (49, 1000, TABLE)


def test_without_any_record_a_month_is_missing() -> None:
    found = record()
    assert (found.state, found.rows, found.file_bytes, found.last_run) == ("missing", 0, 0, None)


def test_the_record_is_believed_only_while_the_table_cannot_be_asked() -> None:
    gone = in_place(loaded=None)
    assert state_and_note(gone) == ("missing", "recorded, but not in the table any more")
    assert (gone.rows, gone.file_bytes) == (0, 0)
    unknown = in_place(loaded=None, tables_known=False)
    assert (state_and_note(unknown), unknown.rows) == (("materialized", ""), 49)


def test_what_is_in_the_table_but_not_recorded_is_missing_and_said_to_be_there() -> None:
    found = in_place(table=None)
    assert (found.state, found.note, found.rows) == ("missing", "in the table, but not recorded", 49)


@pytest.mark.parametrize("made", [record, in_place, partial(in_place, loaded=None)])
def test_a_run_that_goes_on_makes_its_month_in_progress(made: Callable[..., MonthRecord]) -> None:
    attempt = Attempt("12345678-9", "unfinished", NOW)
    assert state_and_note(made(attempt=attempt)) == ("in progress", "run 12345678")


def test_a_run_that_failed_makes_its_month_failed_though_an_older_one_is_in_the_table() -> None:
    failed = Attempt("12345678-9", "failed", NOW)
    found = in_place(attempt=failed)
    assert (found.state, found.note, found.last_run, found.rows) == ("failed", "run 12345678", failed, 49)


def test_a_run_that_was_cancelled_leaves_the_month_what_it_was() -> None:
    attempt = Attempt("12345678-9", "cancelled", NOW)
    assert state_and_note(record(attempt=attempt)) == ("missing", "")
    assert state_and_note(in_place(attempt=attempt)) == ("materialized", "")


def test_a_backfill_that_has_yet_to_deal_with_a_month_makes_it_in_progress() -> None:
    waiting = Waiting("abcdefgh", NOW + timedelta(seconds=1))
    assert state_and_note(record(waiting=waiting)) == ("in progress", "backfill abcdefgh")
    assert state_and_note(in_place(waiting=waiting)) == ("in progress", "backfill abcdefgh")
    failed = Attempt("12345678-9", "failed", NOW)
    assert state_and_note(record(waiting=waiting, attempt=failed)) == ("in progress", "backfill abcdefgh")


def test_a_backfill_has_dealt_with_a_month_that_was_recorded_since() -> None:
    assert state_and_note(in_place(waiting=Waiting("abcdefgh", NOW))) == ("materialized", "")


def test_a_raw_file_that_was_fetched_after_the_load_is_a_changed_one() -> None:
    newer = replace(RAW, order=12, facts=OTHER_FACTS)
    assert state_and_note(in_place(raw=newer)) == ("file changed", "the raw file is newer than the table")
    assert state_and_note(in_place(raw=newer, tables_known=False)) == (
        "file changed",
        "the raw file is newer than the table",
    )
    assert state_and_note(in_place(raw=replace(RAW, order=12))) == ("materialized", "")
    assert state_and_note(in_place(raw=newer, loaded=load_record(sha256="bbb"))) == ("materialized", "")


def test_an_older_record_of_another_raw_file_says_nothing() -> None:
    assert state_and_note(in_place(raw=replace(RAW, facts=OTHER_FACTS))) == ("materialized", "")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (None, "materialized"),
        (SAME, "materialized"),
        (OTHER, "file changed"),
        (SourceVersion(None, None, 5), "materialized"),
        (SourceVersion('"v1"', "Wed", None), "file changed"),
    ],
)
def test_another_version_at_the_source_is_a_changed_file(version: SourceVersion | None, expected: str) -> None:
    assert in_place(published=version).state == expected


def test_a_file_that_was_brought_by_hand_stays_whatever_its_source_has() -> None:
    assert in_place(raw=replace(RAW, landed=True), published=OTHER).state == "materialized"


def test_a_version_says_nothing_when_none_was_recorded_or_nothing_is_loaded() -> None:
    nameless = replace(RAW, version=SourceVersion(None, None, 1000))
    assert in_place(raw=nameless, published=OTHER).state == "materialized"
    assert in_place(raw=None, published=OTHER).state == "materialized"
    assert record(raw=RAW, published=OTHER, tables_known=True).state == "missing"


def test_only_a_month_that_can_be_loaded_or_was_has_a_state() -> None:
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


def test_a_run_that_failed_on_the_raw_file_alone_leaves_the_month_what_it_was() -> None:
    failed = {raw_key(GREEN.table): Attempt("12345678-9", "failed", NOW)}
    assert state_and_note(replace(in_place(), attempts=failed)) == ("materialized", "")

"""The state of a month, from all that is known of it."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from taxi_platform.ledger.states import Attempt, Facts, Materialized, MonthState, Waiting, month_state
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform_tests.support.month_records import load_record

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
RAW = Materialized(10, "run-of-raw", NOW, "aaa", 50, 1000, etag='"v1"', modified="Tue")
TABLE = Materialized(11, "run-of-table", NOW, "aaa", 49, 1000)
LOADED = Facts(table=TABLE, raw=RAW, held=load_record(), asked=True)
SAME, OTHER = SourceVersion('"v1"', "Tue", 1000), SourceVersion('"v2"', "Wed", 1001)


def state(facts: Facts) -> MonthState:
    return month_state("green", Month(2019, 3), facts)


def told(facts: Facts) -> tuple[str, str]:
    found = state(facts)
    return found.state, found.note


def test_a_month_that_is_recorded_and_in_its_table_is_materialized() -> None:
    found = state(LOADED)
    assert (found.state, found.note) == ("materialized", "")
    assert (found.rows, found.file_bytes, found.run_id, found.at) == (49, 1000, "run-of-table", NOW)


def test_without_any_record_a_month_is_missing() -> None:
    found = state(Facts())
    assert (found.state, found.rows, found.file_bytes, found.run_id, found.at) == ("missing", 0, 0, None, None)


def test_the_record_is_believed_only_while_the_table_cannot_be_asked() -> None:
    gone = replace(LOADED, held=None)
    assert told(gone) == ("missing", "recorded, but not in the table any more")
    assert (state(gone).rows, state(gone).file_bytes) == (0, 0)
    unknown = replace(LOADED, held=None, asked=False)
    assert (told(unknown), state(unknown).rows) == (("materialized", ""), 49)


def test_what_is_in_the_table_but_not_recorded_is_missing_and_said_to_be_there() -> None:
    found = state(replace(LOADED, table=None))
    assert (found.state, found.note, found.rows) == ("missing", "in the table, but not recorded", 49)


@pytest.mark.parametrize("facts", [Facts(), LOADED, replace(LOADED, held=None)])
def test_a_run_that_goes_on_makes_its_month_in_progress(facts: Facts) -> None:
    attempt = Attempt("12345678-9", "unfinished", NOW)
    assert told(replace(facts, attempt=attempt)) == ("in progress", "run 12345678")


def test_a_run_that_failed_makes_its_month_failed_though_an_older_one_is_in_the_table() -> None:
    found = state(replace(LOADED, attempt=Attempt("12345678-9", "failed", NOW)))
    assert (found.state, found.note, found.run_id) == ("failed", "run 12345678", "12345678-9")
    assert found.rows == 49


def test_a_run_that_was_cancelled_leaves_the_month_what_it_was() -> None:
    attempt = Attempt("12345678-9", "cancelled", NOW)
    assert told(Facts(attempt=attempt)) == ("missing", "")
    assert told(replace(LOADED, attempt=attempt)) == ("materialized", "")


def test_a_backfill_that_has_yet_to_deal_with_a_month_makes_it_in_progress() -> None:
    waiting = Waiting("abcdefgh", NOW + timedelta(seconds=1))
    assert told(Facts(waiting=waiting)) == ("in progress", "backfill abcdefgh")
    assert told(replace(LOADED, waiting=waiting)) == ("in progress", "backfill abcdefgh")
    failed = Attempt("12345678-9", "failed", NOW)
    assert told(Facts(waiting=waiting, attempt=failed)) == ("in progress", "backfill abcdefgh")


def test_a_backfill_has_dealt_with_a_month_that_was_recorded_since() -> None:
    assert told(replace(LOADED, waiting=Waiting("abcdefgh", NOW))) == ("materialized", "")


def test_a_raw_file_that_was_fetched_after_the_load_is_a_changed_one() -> None:
    newer = replace(RAW, order=12, sha256="bbb")
    assert told(replace(LOADED, raw=newer)) == ("file changed", "the raw file is newer than the table")
    assert told(replace(LOADED, raw=newer, asked=False)) == ("file changed", "the raw file is newer than the table")
    assert told(replace(LOADED, raw=replace(RAW, order=12))) == ("materialized", "")
    assert told(replace(LOADED, raw=newer, held=load_record(sha256="bbb"))) == ("materialized", "")


def test_an_older_record_of_another_raw_file_says_nothing() -> None:
    assert told(replace(LOADED, raw=replace(RAW, sha256="bbb"))) == ("materialized", "")


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
    assert state(replace(LOADED, source=version)).state == expected


def test_a_file_that_was_brought_by_hand_stays_whatever_its_source_has() -> None:
    assert state(replace(LOADED, raw=replace(RAW, landed=True), source=OTHER)).state == "materialized"


def test_a_version_says_nothing_when_none_was_recorded_or_nothing_is_loaded() -> None:
    nameless = replace(RAW, etag=None, modified=None)
    assert state(replace(LOADED, raw=nameless, source=OTHER)).state == "materialized"
    assert state(replace(LOADED, raw=None, source=OTHER)).state == "materialized"
    assert state(Facts(raw=RAW, source=OTHER, asked=True)).state == "missing"

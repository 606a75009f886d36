"""What ``taxi status`` and ``taxi backfill`` print and do about loaded months with a failed check."""

import psycopg
import pytest

from taxi_platform.ledger.reading import read_months
from taxi_platform.postgres import loader
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.backfills import Backfills

MARCH = Month(2019, 3)


def state(backfills: Backfills) -> tuple[str, str]:
    found = read_months(backfills.instance, [GREEN]).months["green"][MARCH]
    return found.state, found.note


def delete_a_row(backfills: Backfills) -> None:
    with psycopg.connect(backfills.database, autocommit=True) as connection:
        connection.execute(
            "delete from green_tripdata where ctid in (select min(ctid) from green_tripdata_2019_03) "
            "and filename like '%2019-03.csv'"
        )


def test_a_loaded_month_with_a_failed_check_is_failed_and_is_loaded_again(backfills: Backfills) -> None:
    assert backfills.backfill("green", "2019-03")[0] == 0
    rows = backfills.count("green_tripdata")
    delete_a_row(backfills)
    assert state(backfills) == ("materialized", "")  # not checked since
    assert not backfills.check("green_tripdata", "2019-03").succeeded
    assert state(backfills) == ("failed", "check row_count_matches_file")
    status, output = backfills.backfill("green", "2019-03", choice="failed")
    assert status == 0, output
    assert "  green  2019-03  failed        check row_count_matches_file" in output
    assert backfills.count("green_tripdata") == rows
    assert state(backfills) == ("materialized", "")


def test_a_backfill_fails_when_a_check_of_its_month_fails(
    backfills: Backfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = loader._Load._swap  # pyright: ignore[reportPrivateUsage]

    def swap_and_delete(self: object, *arguments: object) -> None:
        swap(self, *arguments)  # pyright: ignore[reportArgumentType, reportCallIssue]
        delete_a_row(backfills)

    monkeypatch.setattr(loader._Load, "_swap", swap_and_delete)  # pyright: ignore[reportPrivateUsage]
    status, output = backfills.backfill("green", "2019-03")
    assert status == 1
    assert "1 month: 0 loaded (0 rows), 1 failed" in output
    assert "  green 2019-03 failed: it is in the table and did not pass row_count_matches_file" in output
    assert state(backfills) == ("failed", "check row_count_matches_file")

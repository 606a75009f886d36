"""Reading the records of months from a real database and a real Dagster instance."""

from dataclasses import replace

import pytest

from taxi_platform.errors import DatabaseUnreachable
from taxi_platform.ledger.reading import read_months, read_raw_facts
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips.keys import raw_key, table_key, warehouse_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW
from taxi_platform_tests.support.asset_runs import Platform

JANUARY, FEBRUARY = Month(2019, 1), Month(2019, 2)
CLOSED = "postgresql://taxi@127.0.0.1:1/nowhere"


@pytest.fixture
def loaded(platform: Platform) -> Platform:
    """Load the first month of a platform for January and February 2019."""
    platform.use(TAXI_SOURCE="sample:0.0001", TAXI_LAST_MONTH="2019-02")
    assert platform.run("raw/green_tripdata", "green_tripdata", month="2019-01").succeeded
    return platform


def test_a_loaded_month_is_known_from_dagster_the_table_and_the_source(loaded: Platform) -> None:
    ledger = read_months(loaded.instance, [GREEN, YELLOW])
    assert {name: list(months) for name, months in ledger.months.items()} == {
        "green": [JANUARY, FEBRUARY],
        "yellow": [JANUARY, FEBRUARY],
    }
    month = ledger.months["green"][JANUARY]
    assert month.raw is not None
    assert month.table is not None
    assert month.loaded is not None
    assert month.published is not None
    assert set(month.materialized) == {raw_key(GREEN.table), table_key(GREEN.table)}
    assert month.table.facts == month.raw.facts == month.loaded.facts
    assert month.table.rows_loaded == month.loaded.rows_loaded
    assert month.published.etag == month.raw.version.etag
    assert month.table.order > month.raw.order
    missing = ledger.months["green"][FEBRUARY]
    assert (missing.materialized, missing.loaded, missing.published, missing.tables_known) == ({}, None, None, True)
    assert ledger.remarks == []


def test_a_source_with_another_edition_changes_a_loaded_months_state_without_a_request(loaded: Platform) -> None:
    loaded.use(TAXI_SOURCE="http://127.0.0.1:1/{service}_tripdata_{month}.parquet")
    months = read_months(loaded.instance, [GREEN]).months["green"]
    assert months[JANUARY].state == "file changed"
    assert months[JANUARY].note == "the source has another edition, parquet instead of csv"
    assert months[FEBRUARY].state == "missing"


def test_an_unreachable_database_is_not_queried_or_is_a_remark_or_with_a_url_an_error(loaded: Platform) -> None:
    loaded.use(TAXI_POSTGRES_URL=CLOSED)
    ledger = read_months(loaded.instance, [GREEN], ("attempts", "waiting"))
    month = ledger.months["green"][JANUARY]
    assert (month.materialized, month.loaded, month.published, month.tables_known) == ({}, None, None, False)
    assert ledger.remarks == []
    ledger = read_months(loaded.instance, [GREEN], ("loaded",))
    assert not ledger.months["green"][JANUARY].tables_known
    assert len(ledger.remarks) == 1
    with pytest.raises(DatabaseUnreachable):
        read_months(loaded.instance, [GREEN], ("loaded",), url=CLOSED)


def test_failures_are_found_by_asset_even_for_months_that_are_not_partitions(loaded: Platform) -> None:
    loaded.use(TAXI_SOURCE=str(settings().data_dir))  # a folder without trip files
    assert not loaded.run("green_tripdata", month="2019-02").succeeded
    loaded.use(TAXI_LAST_MONTH="2019-01")
    months = read_months(loaded.instance, [GREEN], ("attempts",), cloud=True).months["green"]
    assert {key: attempt.outcome for key, attempt in months[FEBRUARY].attempts.items()} == {
        table_key(GREEN.table): "failed"
    }
    assert warehouse_key(GREEN.table) not in months[FEBRUARY].attempts
    assert [month.is_partition for month in months.values()] == [True, False]


def test_a_removed_raw_file_is_known_from_dagsters_record(loaded: Platform) -> None:
    folder = settings().data_dir / "raw"
    cache = Cache(folder, source_named(settings().source))
    facts = read_raw_facts(loaded.instance, cache, GREEN, JANUARY)
    assert facts is not None
    for path in folder.rglob("green_tripdata_2019-01*"):
        path.unlink()
    assert read_raw_facts(loaded.instance, cache, GREEN, JANUARY) == replace(facts, regular=None)
    assert read_raw_facts(loaded.instance, cache, GREEN, FEBRUARY) is None

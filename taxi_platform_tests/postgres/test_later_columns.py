"""Columns that a contract gets later: tables get them without a reload, and loaded months stay as they are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest

from taxi_platform.errors import SchemaMismatch
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.postgres import tables
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, header, rows

EARLIER = replace(GREEN, columns=GREEN.first_columns)
NEWER = replace(GREEN, columns=(*GREEN.first_columns, replace(GREEN.column("extra"), source="New_fee", since=APRIL)))


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def use(contract: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, Service]", SERVICES), "green", contract)


def with_fee(fee: str) -> bytes:
    lines = [f"{header(GREEN)},new_FEE", *(f"{line},{fee}" for line in rows(GREEN, 30))]
    return "".join(line + "\r\n" for line in lines).encode()


def test_a_table_gets_a_new_column_and_its_months_stay_loaded(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    use(EARLIER, monkeypatch)
    loads.load(rows(GREEN, 50))
    before = loads.ask("select relfilenode from pg_class where relname = 'green_tripdata_2019_03'")
    ids = loads.ask("select unique_row_id from green_tripdata order by 1")
    use(NEWER, monkeypatch)
    assert loads.load().unchanged
    assert loads.ask("select relfilenode from pg_class where relname = 'green_tripdata_2019_03'") == before
    assert loads.ask("select unique_row_id from green_tripdata where new_fee is null order by 1") == ids
    assert "green_tripdata_2019-03.csv" in months_in_place(loads.url)
    loads.load(with_fee("2.75"), NEWER, APRIL)
    assert loads.ask("select filename, count(*), sum(new_fee) from green_tripdata group by 1 order by 1") == [
        ("green_tripdata_2019-03.csv", 50, None),
        ("green_tripdata_2019-04.csv", 30, 82.5),
    ]
    types = dict(loads.ask(tables.COLUMN_TYPES, "public.green_tripdata_2019_03"))
    assert types == dict(loads.ask(tables.COLUMN_TYPES, "public.green_tripdata")) == tables.column_types(NEWER)
    assert loads.load(month=MARCH).unchanged
    assert loads.load(service=NEWER, month=APRIL).unchanged


def test_a_month_that_is_being_loaded_gets_a_column_that_another_load_adds(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.load(rows(GREEN, 50))
    prelude = (
        "create = tables.create_loading\n"
        "later = '; alter table public.green_tripdata add column later int'\n"
        "tables.create_loading = lambda *month: create(*month) + later"
    )
    with loads.begin(prelude, month=MARCH) as process:
        output, _ = process.communicate(timeout=60)
    assert "loaded 50" in output
    assert loads.ask("select count(*), count(later) from green_tripdata") == [(50, 0)]


def with_policy(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_ON_NEW_COLUMNS", policy)
    settings.cache_clear()


@pytest.fixture
def _settings() -> Iterator[None]:
    yield
    settings.cache_clear()


def as_parquet(fee: str) -> bytes:
    """Return the same month as ``with_fee``, as Parquet with the fee as a number."""
    return parquet(GREEN, rows(GREEN, 30), new_FEE=pa.array([float(fee)] * 30))


@pytest.mark.parametrize("content", [with_fee, as_parquet])
@pytest.mark.usefixtures("_settings")
def test_a_column_that_the_contract_does_not_know_is_refused_ignored_or_added(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, content: Callable[[str], bytes]
) -> None:
    with pytest.raises(SchemaMismatch, match=r"unknown: 'new_fee'.*set TAXI_ON_NEW_COLUMNS"):
        loads.load(content("2.75"), month=APRIL)
    with_policy("ignore", monkeypatch)
    assert loads.load(month=APRIL).rows == 30
    assert loads.load(month=APRIL).unchanged
    assert read_ignored(loads) == "new_fee"
    assert "new_fee" not in dict(loads.ask(tables.COLUMN_TYPES, "public.green_tripdata"))
    with_policy("fail", monkeypatch)
    assert loads.load(month=APRIL).unchanged
    with_policy("add", monkeypatch)
    assert months_in_place(loads.url)["green_tripdata_2019-04.csv"].would_have_more
    assert not loads.load(month=APRIL).unchanged
    assert loads.ask("select distinct new_fee from green_tripdata") == [("2.75",)]
    assert read_ignored(loads) == ""
    loads.load(rows(GREEN, 20))
    assert loads.load(month=APRIL).unchanged
    types = dict(loads.ask(tables.COLUMN_TYPES, "public.green_tripdata_2019_03"))
    assert types == tables.column_types(GREEN), "only the contract's columns are compared"


@pytest.mark.usefixtures("_settings")
def test_a_column_that_was_added_as_text_makes_way_for_the_contracts_column(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy("add", monkeypatch)
    loads.load(with_fee("2.75"), month=APRIL)
    use(replace(GREEN, columns=(*GREEN.columns, NEWER.column("new_fee"))), monkeypatch)
    loads.load(rows(GREEN, 20))
    assert loads.ask("select new_fee_as_text, new_fee from green_tripdata group by 1, 2 order by 1") == [
        ("2.75", None),
        (None, None),
    ]
    loads.load(month=APRIL, force=True)
    query = "select new_fee, new_fee_as_text, count(*) from green_tripdata group by 1, 2 order by 1"
    assert loads.ask(query) == [(2.75, None, 30), (None, None, 20)]


@pytest.mark.parametrize("name", ["Trip type", "ctid"])
@pytest.mark.usefixtures("_settings")
def test_a_column_that_is_almost_called_like_another_one_gets_its_own_name(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lines = [f"{header(GREEN)},{name}", *(f'{line},"5"' for line in rows(GREEN, 10))]
    content = "".join(line + "\r\n" for line in lines).encode()
    spelled = f"new_{name.lower().replace(' ', '_')}"
    with_policy("ignore", monkeypatch)
    loads.load(content, month=APRIL)
    assert loads.load(month=APRIL).unchanged
    assert read_ignored(loads) == spelled
    with_policy("add", monkeypatch)
    loads.load(month=APRIL)
    assert loads.ask(f"select {spelled}, count(*) from green_tripdata group by 1") == [("5", 10)]


def read_ignored(loads: Loads) -> str:
    return months_in_place(loads.url)["green_tripdata_2019-04.csv"].ignored

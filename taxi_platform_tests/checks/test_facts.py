"""The facts of months in a real database, and what follows from them, without Dagster."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxi_platform.checks.facts import SAMPLE, MonthFacts, read_facts
from taxi_platform.checks.months import blocking_results, warning_results
from taxi_platform.checks.results import CheckResult
from taxi_platform.checks.rules import rules_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, FHVHV, GREEN, SERVICES, Service
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, row, rows, with_field

DATA = PROJECT.parent / "shared" / "data"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def facts(loads: Loads, service: Service = GREEN, month: Month = MARCH) -> MonthFacts:
    file = loads.fetch(service, month)
    return read_facts(loads.url, service, month, file.facts)


def results(found: MonthFacts, service: Service = GREEN) -> dict[str, CheckResult]:
    every = (*blocking_results(service, found), *warning_results(service, found))
    return {result.check.name: result for result in every}


def failing(found: MonthFacts, service: Service = GREEN) -> list[str]:
    return [name for name, result in results(found, service).items() if not result.passed]


def blocking(found: MonthFacts) -> list[str]:
    return [name for name, result in results(found).items() if result.blocks]


# Shape


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_month_that_was_not_changed_passes_all_checks(service: Service, loads: Loads) -> None:
    loads.load(rows(service, 50), service)
    found = facts(loads, service)
    assert failing(found, service) == []
    assert (found.rows, found.rejected, found.rows_before) == (50, 0, None)


@pytest.mark.parametrize(
    ("statement", "failed"),
    [
        ("delete from green_tripdata where dolocationid = '8'", ["row_count_matches_file"]),
        ("insert into green_tripdata (filename) values ('green_tripdata_2019-03.csv')", ["row_count_matches_file"]),
        ("truncate green_tripdata", ["row_count_matches_file", "file_is_the_raw_file"]),
        ("alter table green_tripdata detach partition green_tripdata_2019_03", ["file_is_the_raw_file"]),
        ("delete from tripdata_files", ["file_is_the_raw_file"]),
        ("drop table tripdata_files", ["file_is_the_raw_file"]),
        ("update tripdata_files set sha256 = 'another'", ["file_is_the_raw_file"]),
        ("update tripdata_files set contract = 'earlier'", ["columns_match_contract"]),
        ("alter table green_tripdata add column note text", ["columns_match_contract"]),
        ("alter table green_tripdata drop column ehail_fee", ["columns_match_contract"]),
        ("alter table green_tripdata rename column extra to surplus", ["columns_match_contract"]),
        ("drop table green_tripdata_rejects", []),
    ],
)
def test_a_change_by_hand_is_noticed(loads: Loads, statement: str, failed: Sequence[str]) -> None:
    loads.load(rows(GREEN, 50))
    loads.ask(statement)
    assert blocking(facts(loads)) == failed


def test_rejects_count_as_rows_of_the_file(loads: Loads) -> None:
    loads.load([*rows(GREEN, 9), with_field(GREEN, row(GREEN, 9), "trip_distance", "far")], max_bad_rows=1)
    found = facts(loads)
    assert (found.rows, found.rejected) == (9, 1)
    assert blocking(found) == []
    loads.ask("delete from green_tripdata_rejects")
    assert blocking(facts(loads)) == ["row_count_matches_file"]


def test_with_differing_columns_rows_are_counted_and_rules_are_not_evaluated(loads: Loads) -> None:
    loads.load(rows(GREEN, 50))
    loads.ask("alter table green_tripdata drop column total_amount")
    found = facts(loads)
    assert (found.rows, dict(found.broken)) == (50, {})
    assert "its columns differ" in results(found)["totals_are_not_negative"].description


@pytest.mark.parametrize("loaded", [False, True])
def test_a_month_without_a_table_has_no_facts(loads: Loads, loaded: bool) -> None:
    if loaded:
        loads.load(rows(GREEN, 5), month=APRIL)
    found = read_facts(loads.url, GREEN, MARCH, None)
    assert found == MonthFacts(MARCH)


def test_a_load_that_would_replace_a_month_waits_while_it_is_read(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.load(rows(GREEN, 5))

    def detach_meanwhile(*_: object) -> dict[str, LoadRecord]:
        with connect(loads.url) as other:
            execute(other, "set lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                execute(other, "alter table public.green_tripdata detach partition public.green_tripdata_2019_03")
        return {}

    monkeypatch.setattr("taxi_platform.checks.facts.read_loaded", detach_meanwhile)
    assert facts(loads).rows == 5


# Rules


@pytest.mark.parametrize(
    ("name", "column", "value", "shown"),
    [
        ("pickups_lie_in_month", "lpep_pickup_datetime", "2008-12-31 23:00:00", "2008-12-31 23:00:00"),
        ("pickups_lie_in_month", "lpep_pickup_datetime", "", "None"),
        ("dropoffs_follow_pickups", "lpep_dropoff_datetime", "2019-02-01 00:00:00", "2019-02-01 00:00:00"),
        ("zones_are_known", "pulocationid", "266", "266"),
        ("zones_are_known", "dolocationid", "0", "0"),
        ("totals_are_not_negative", "total_amount", "-7.30", "-7.3"),
        ("vendors_are_known", "vendorid", "", "None"),
    ],
)
def test_each_fault_is_counted_by_its_check_and_by_no_other(
    loads: Loads, name: str, column: str, value: str, shown: str
) -> None:
    many = rules_of(GREEN)[name].allowed(60) + 1
    bad = [with_field(GREEN, line, column, value) for line in rows(GREEN, many)]
    loads.load(bad + rows(GREEN, 60 - many, first=many))
    found = facts(loads)
    assert failing(found) == [name]
    assert {check: count for check, count in found.broken.items() if count} == {name: many}
    sample = found.samples[name]
    assert len(sample) == min(many, SAMPLE)
    assert {str(one[column]) for one in sample} == {shown}
    assert len(loads.ask(results(found)[name].query)) == many


def test_the_borders_of_the_month_are_within_it(loads: Loads) -> None:
    moments = ["2019-02-28 23:59:59", "2019-03-01 00:00:00", "2019-03-31 23:59:59", "2019-04-01 00:00:00"]
    lines = [with_field(FHV, row(FHV, number), "pickup_datetime", one) for number, one in enumerate(moments)]
    loads.load([with_field(FHV, line, "dropoff_datetime", "2019-04-02 00:00:00") for line in lines], FHV)
    assert facts(loads, FHV).broken["pickups_lie_in_month"] == 2


def test_zones_are_compared_with_the_lookup_if_it_is_loaded(loads: Loads) -> None:
    loads.load([with_field(GREEN, line, "pulocationid", "7") for line in rows(GREEN, 20)])
    loads.ask("create table taxi_zone_lookup as select generate_series(1, 265)::int as locationid")
    assert failing(facts(loads)) == []
    loads.ask("update taxi_zone_lookup set locationid = null where locationid = 7")
    assert facts(loads).broken["zones_are_known"] == 20


def test_absent_and_unknown_zones_are_reported_and_not_counted(loads: Loads) -> None:
    lines = rows(FHV, 20)
    lines[3] = with_field(FHV, lines[3], "pulocationid", "")
    lines[4] = with_field(FHV, lines[4], "dolocationid", "264")
    loads.load(lines, FHV)
    numbers = results(facts(loads, FHV), FHV)["zones_are_known"].numbers
    assert (numbers["rows_in_question"], numbers["pulocationid_absent"], numbers["dolocationid_unknown"]) == (0, 1, 1)


def test_the_number_of_rows_is_compared_with_that_of_the_month_before(loads: Loads) -> None:
    loads.load(rows(GREEN, 50))
    loads.load(rows(GREEN, 10), month=APRIL)
    assert failing(facts(loads, month=APRIL)) == ["volume_is_plausible"]
    assert facts(loads, month=APRIL).rows_before == 50


@pytest.mark.parametrize("month", [Month(2020, 5), Month(2020, 8)], ids=str)
def test_real_months_pass(month: Month, loads: Loads) -> None:
    path = DATA / f"green_tripdata_{month}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    loads.load(path.read_bytes(), month=month)
    assert failing(facts(loads, month=month)) == []


# The same numbers as a naive count


def _all_equal(service: Service) -> list[str]:
    return rows(service, 1) * 40


def _without_times(service: Service) -> list[str]:
    line = row(service, 0)
    lacking = [with_field(service, line, column, "") for column in (service.pickup, service.dropoff)]
    return [*lacking * 2, with_field(service, lacking[0], service.dropoff, ""), *rows(service, 20)]


def _with_unusual_zones(service: Service) -> list[str]:
    zones = ("264", "265", "266", "0", "", "1")
    lines = [with_field(service, line, "pulocationid", zone) for line in rows(service, 7) for zone in zones]
    return [with_field(service, line, "dolocationid", zones[number % 5]) for number, line in enumerate(lines)]


def _many_times(service: Service) -> list[str]:
    return [line for number in range(60) for line in [row(service, number)] * (1 + number % 3)]


@pytest.mark.parametrize("service", [GREEN, FHVHV], ids=["green", "fhvhv"])
def test_every_number_equals_a_naive_count(loads: Loads, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        found = facts(loads, service)
        wanted = naive_counts(loads, service, found)
        for name, limit in (("_FEW_ROWS", 0), ("_MOST_TWINS", 2)):
            monkeypatch.setattr(f"taxi_platform.checks.facts.{name}", limit)
            found = facts(loads, service)
            assert {**found.broken, **found.no_zone} == wanted, name
        monkeypatch.undo()

    for content in (_all_equal(service), _with_unusual_zones(service), _without_times(service)):
        loads.load(content, service)
        check()
    loads.load(parquet(service, _many_times(service)), service)
    check()
    loads.ask(f"delete from {service.table}")
    check()


def naive_counts(loads: Loads, service: Service, found: MonthFacts) -> dict[str, int]:
    counts = {name: len(loads.ask(results(found, service)[name].query)) for name in rules_of(service)}
    counts["row_ids_are_unique"] = loads.one(f"select count(*) - count(distinct unique_row_id) from {service.table}")
    for column in ("pulocationid", "dolocationid"):
        for name, condition in ((f"{column}_absent", "is null"), (f"{column}_unknown", "in ('264', '265')")):
            counts[name] = loads.one(f"select count(*) from {service.table} where {column} {condition}")
    return counts


# Duplicate ids


def test_equal_ids_are_counted_and_shown_in_pairs(loads: Loads) -> None:
    loads.load([*rows(GREEN, 20), row(GREEN, 3), row(GREEN, 3), row(GREEN, 5)])
    found = facts(loads)
    assert found.broken["row_ids_are_unique"] == 3
    assert len(found.samples["row_ids_are_unique"]) == 5
    assert len({one["unique_row_id"] for one in found.samples["row_ids_are_unique"]}) == 2
    assert len(loads.ask(results(found)["row_ids_are_unique"].query)) == 2


def test_the_sample_of_ids_is_bounded(loads: Loads) -> None:
    loads.load(rows(GREEN, 60) + rows(GREEN, 60))
    assert facts(loads).broken["row_ids_are_unique"] == 60
    assert len(facts(loads).samples["row_ids_are_unique"]) == 2 * SAMPLE


_TIMES = st.sampled_from(["", "2019-03-01 00:00:00", "2019-03-01 00:00:01", "2041-08-17 16:00:00"])
_CODES = st.sampled_from(["", "1", "2", "12", "23", "3"])
_AMOUNTS = st.sampled_from(["", "7", "1", "17", "-7", "7.5", ".5"])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_CODES, _TIMES, _TIMES, _CODES, _CODES, _AMOUNTS, _AMOUNTS), min_size=1, max_size=60))
def test_repeated_ids_are_found_exactly_where_sql_finds_them(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, trips: Sequence[Sequence[str]]
) -> None:
    monkeypatch.setattr("taxi_platform.checks.facts._FEW_ROWS", 0)
    lines: list[str] = []
    for trip in trips:
        line = row(GREEN, 0)
        for column, value in zip(GREEN.identity, trip, strict=True):
            line = with_field(GREEN, line, column, value)
        lines.append(line)
    loads.load(lines)
    wanted = loads.one("select count(*) - count(distinct unique_row_id) from green_tripdata")
    assert facts(loads).broken["row_ids_are_unique"] == wanted

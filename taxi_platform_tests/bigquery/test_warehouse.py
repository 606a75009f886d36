"""Loading months into BigQuery on the emulators: what the tables contain after each kind of file."""

from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from taxi_platform.bigquery.tables import VERSION
from taxi_platform.errors import BadRows, CloudNotReady, CloudUnavailable, DamagedFile, SchemaMismatch
from taxi_platform.settings import settings
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, header, row, rows, text, with_field, zipped
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

COUNT = "select count(*) from `{}.green_tripdata`"


# A month


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_month_has_exactly_its_files_rows_and_nothing_else_is_left(service, loads: WarehouseLoads) -> None:
    loaded = loads.load(rows(service, 50), service)
    assert (loaded.rows, loaded.rejected, loaded.unchanged, loaded.line_by_line) == (50, 0, False, False)
    table = f"`{{}}.{service.table}`"
    assert loads.ask(f"select count(*), count(distinct unique_row_id) from {table}") == [(50, 50)]
    assert loads.ask(f"select distinct filename, file_month from {table}") == [
        (service.file_name(MARCH), date(2019, 3, 1))
    ]
    assert loads.tables() == {service.table}


def test_a_parquet_month_has_the_same_values_as_a_csv(loads: WarehouseLoads) -> None:
    lines = [with_field(GREEN, line, "ehail_fee", "") for line in rows(GREEN, 50)]
    loads.load(lines)
    table = f"select * except ({VERSION}) from `{{}}.green_tripdata` order by unique_row_id"
    as_csv = loads.ask(table)
    loaded = loads.load(parquet(GREEN, lines))
    assert (loaded.rows, loaded.line_by_line) == (50, False)
    assert loads.ask(table) == as_csv


def test_values_are_what_the_file_says(loads: WarehouseLoads) -> None:
    loads.load(["2,2019-03-01 00:21:11,2019-03-01 00:40:00,N,1,97,49,5,.68,7.00,.50,-0.5,2.36,0,,0.3,9.66,1,1,"])
    ((_, name, *values, _),) = loads.ask("select * from `{}.green_tripdata`")
    assert name == "green_tripdata_2019-03.csv"
    moments = [datetime(2019, 3, 1, 0, 21, 11), datetime(2019, 3, 1, 0, 40)]
    assert values == [
        "2",
        *(moment.replace(tzinfo=timezone.utc) for moment in moments),
        "N",
        "1",
        "97",
        "49",
        5,
        *map(Decimal, ("0.68", "7", "0.5", "-0.5", "2.36", "0")),
        None,
        *map(Decimal, ("0.3", "9.66")),
        1,
        "1",
        None,
        *[None] * (len(GREEN.columns) - len(GREEN.first_columns)),  # columns of later files
        date(2019, 3, 1),
    ]


def test_the_table_is_created_from_the_contract(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 1))
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.green_tripdata")
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("MONTH", "file_month")
    assert table.clustering_fields == ["lpep_pickup_datetime", "pulocationid"]
    assert table.labels == {"app": "taxi_platform"}
    meanings = {field.name: field.description for field in table.schema}
    assert meanings["trip_distance"] == GREEN.column("trip_distance").documentation


def test_the_same_file_is_not_loaded_again_unless_it_is_forced(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 10))
    again = loads.load()
    assert (again.unchanged, again.rows, again.jobs) == (True, 10, {})
    forced = loads.load(force=True)
    assert (forced.unchanged, forced.rows) == (False, 10)
    assert loads.one(COUNT) == 10


def test_a_corrected_file_replaces_its_month_and_no_other(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 10))
    loads.load(rows(GREEN, 4), month=APRIL)
    corrected = loads.load(rows(GREEN, 7, first=100))
    assert (corrected.unchanged, corrected.rows) == (False, 7)
    counts = loads.ask("select filename, count(*) from `{}.green_tripdata` group by 1 order by 1")
    assert counts == [("green_tripdata_2019-03.csv", 7), ("green_tripdata_2019-04.csv", 4)]


def test_a_month_that_somebody_has_changed_is_loaded_again(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 10))
    loads.ask("delete from `{}.green_tripdata` where payment_type = 1")
    assert 0 < loads.one(COUNT) < 10
    assert loads.load().unchanged is False
    assert loads.one(COUNT) == 10


def test_equal_rows_are_all_loaded(loads: WarehouseLoads) -> None:
    loads.load([row(GREEN, 1)] * 3)
    assert loads.ask("select count(*), count(distinct unique_row_id) from `{}.green_tripdata`") == [(3, 1)]


def test_a_row_belongs_to_its_files_month_wherever_its_pickup_lies(loads: WarehouseLoads) -> None:
    stray = with_field(GREEN, row(GREEN, 0), "lpep_pickup_datetime", "2041-08-17 10:00:00")
    loads.load([stray, with_field(GREEN, row(GREEN, 1), "lpep_pickup_datetime", "2008-12-31 23:59:59")])
    loads.load([row(GREEN, 2)])
    assert loads.one(COUNT) == 1


# Other spellings of a file


def test_columns_find_their_places_by_name_whatever_their_order_and_case(loads: WarehouseLoads) -> None:
    names = header(GREEN).split(",")
    order = sorted(range(len(names)), key=lambda index: names[index])
    lines = [header(GREEN).upper(), *rows(GREEN, 20)]
    shuffled = "\n".join(",".join(line.split(",")[index] for index in order) for line in lines) + "\n"
    loads.load(rows(GREEN, 20))
    before = loads.state()
    loaded = loads.load(zipped(shuffled.encode()))
    assert (loaded.rows, loaded.line_by_line) == (20, False)
    ids = "select unique_row_id, fare_amount from `{}.green_tripdata` order by 1"
    assert loads.ask(ids) == [(found[0], found[11]) for found in before["green_tripdata"]]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_lines_may_end_either_way_and_a_file_may_be_plain(end: str, loads: WarehouseLoads) -> None:
    loaded = loads.load(text(YELLOW, rows(YELLOW, 12), end), YELLOW)
    assert (loaded.rows, loaded.line_by_line) == (12, False)
    assert loads.one("select count(congestion_surcharge) from `{}.yellow_tripdata`") == 12


def test_a_file_of_six_columns_has_nulls_in_the_seventh(loads: WarehouseLoads) -> None:
    lines = [line.rpartition(",")[0] for line in [header(FHV), *rows(FHV, 5)]]
    loaded = loads.load(zipped("\n".join([*lines, ""]).encode()), FHV)
    assert (loaded.rows, loaded.line_by_line) == (5, False)
    assert loads.one("select count(affiliated_base_number) from `{}.fhv_tripdata`") == 0


def test_other_spellings_are_read_too(loads: WarehouseLoads) -> None:
    spelled: list[tuple[str, str, object]] = [
        ("pulocationid", "7.0", "7"),
        ("passenger_count", "2.0", 2),
        ("store_and_fwd_flag", '"a, ""b"""', 'a, "b"'),
        ("store_and_fwd_flag", '"two\nlines"', "two\nlines"),
        ("store_and_fwd_flag", "a|b", "a|b"),
        ("fare_amount", "1e-3", Decimal("0.001")),
        ("tip_amount", "13.299999999999999", Decimal("13.3")),
    ]
    lines: list[str] = []
    for number, (column, field, _) in enumerate(spelled):
        fields = row(GREEN, number).split(",")
        fields[[known.name for known in GREEN.columns].index(column)] = field
        lines.append(",".join(fields))
    loaded = loads.load([*lines, row(GREEN, len(lines))])
    assert (loaded.rows, loaded.rejected) == (len(lines) + 1, 0)
    names = ", ".join(dict.fromkeys(column for column, _, _ in spelled))
    found = loads.ask(f"select {names} from `{{}}.green_tripdata` order by lpep_pickup_datetime")
    at = names.split(", ").index
    assert [values[at(column)] for (column, _, _), values in zip(spelled, found, strict=False)] == [
        kept for _, _, kept in spelled
    ]
    assert loads.staging() == set()


# Bad rows


def test_a_bad_row_fails_its_month_with_line_and_text_and_nothing_is_visible(loads: WarehouseLoads) -> None:
    good = row(GREEN, 3)
    loads.load(rows(GREEN, 5))
    before = loads.state()
    for bad, reason in (
        (with_field(GREEN, good, "trip_distance", "far"), "trip_distance 'far' is not a number"),
        (with_field(GREEN, good, "lpep_pickup_datetime", "2019-02-30 00:00:00"), "an impossible date or time"),
        (with_field(GREEN, good, "tip_amount", "nan"), "tip_amount 'nan' is not a number"),
        (with_field(GREEN, good, "passenger_count", "9999999999"), "too large for a whole number"),
        (good + ",7", "21 fields where the header has 20"),
        (good.rpartition(",")[0], "19 fields where the header has 20"),
        ('"' + good, "a quote is opened and never closed"),
    ):
        with pytest.raises(BadRows) as failure:
            loads.load([row(GREEN, 1), bad, row(GREEN, 4)])
        for part in ("1 of 3 rows cannot be stored", "line 3", reason, bad[:40]):
            assert part in str(failure.value)
    assert loads.state() == before
    assert loads.staging() == set()


def test_bytes_that_are_not_text_fail_the_month_too(loads: WarehouseLoads) -> None:
    content = text(FHV, rows(FHV, 3)).replace(b"B00001,2019", b"B\xa00001,2019")
    with pytest.raises(BadRows, match="byte 0xA0"):
        loads.load(zipped(content), FHV)
    assert loads.state() == {"fhv_tripdata": []}


def test_bad_rows_can_be_kept_aside(loads: WarehouseLoads) -> None:
    lines = rows(GREEN, 10)
    lines[4] = with_field(GREEN, lines[4], "trip_distance", '"far, ""far"" away"')
    loaded = loads.load(lines, max_bad_rows=1)
    assert (loaded.rows, loaded.rejected) == (9, 1)
    assert loads.one(COUNT) == 9
    assert loads.ask("select filename, line, text, reason from `{}.green_tripdata_rejects`") == [
        ("green_tripdata_2019-03.csv", 6, lines[4], "trip_distance 'far, \"far\" away' is not a number")
    ]
    assert loads.staging() == set()


def test_a_month_with_rejects_is_unchanged_unless_bad_rows_must_fail_it(loads: WarehouseLoads) -> None:
    lines = [*rows(GREEN, 4), "no trip"]
    loads.load(lines, max_bad_rows=1)
    again = loads.load(max_bad_rows=1)
    assert (again.unchanged, again.rows, again.rejected) == (True, 4, 1)
    with pytest.raises(BadRows):
        loads.load()
    assert (loads.one(COUNT), loads.one("select count(*) from `{}.green_tripdata_rejects`")) == (4, 1)


def test_rejects_go_when_their_file_is_corrected_and_those_of_other_months_stay(loads: WarehouseLoads) -> None:
    loads.load([*rows(GREEN, 4), "no trip"], max_bad_rows=1)
    loads.load([*rows(GREEN, 4), "none either"], month=APRIL, max_bad_rows=1)
    loads.load(rows(GREEN, 5), max_bad_rows=1)
    assert loads.ask("select filename, text from `{}.green_tripdata_rejects`") == [
        ("green_tripdata_2019-04.csv", "none either")
    ]


def test_rejects_that_a_killed_load_left_go_with_the_next_load(
    loads: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_: object) -> None:
        raise CloudUnavailable("BigQuery", "it does not answer")

    loads.load([*rows(GREEN, 4), "no trip"], max_bad_rows=1)
    with monkeypatch.context() as patch:
        patch.setattr("taxi_platform.bigquery.loader._BigQueryLoad._clear_rejects", end)
        with pytest.raises(CloudUnavailable):
            loads.load(rows(GREEN, 5))
    assert loads.load().unchanged
    assert loads.ask("select * from `{}.green_tripdata_rejects`") == []


def test_a_file_of_bad_rows_only_does_not_empty_the_month(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 5))
    with pytest.raises(BadRows, match="2 of 2 rows"):
        loads.load(["no", "trip"], max_bad_rows=1)
    assert loads.one(COUNT) == 5


def test_a_plain_file_that_breaks_off_in_its_last_line_is_refused(loads: WarehouseLoads) -> None:
    with pytest.raises(BadRows, match="the last line has no line end"):
        loads.load(text(GREEN, rows(GREEN, 3)).rstrip())


# Objects and tables that are not what they should be


def test_the_message_says_that_an_object_is_gone(loads: WarehouseLoads) -> None:
    file = loads.upload(rows(GREEN, 3))
    loads.cloud.storage.bucket(file.object.bucket).delete_blob(file.object.name)
    with pytest.raises(CloudNotReady, match="the object is gone") as failure:
        loads.load_file(file)
    assert "Materialize gcs/green_tripdata for 2019-03 again" in str(failure.value)
    assert loads.staging() == set()


def test_an_object_that_holds_other_bytes_than_were_verified_is_refused(loads: WarehouseLoads) -> None:
    file = loads.upload(rows(GREEN, 3))
    blob = loads.cloud.storage.bucket(file.object.bucket).blob(file.object.name)
    blob.upload_from_string(zipped(text(GREEN, rows(GREEN, 2))))
    blob.reload()
    changed = replace(file, stored=replace(file.object, generation=blob.generation))
    with pytest.raises(DamagedFile, match="not the file that was verified: 2 rows"):
        loads.load_file(changed)
    assert loads.state() == {"green_tripdata": []}


def test_another_version_that_comes_while_a_file_is_loaded_fails_it(loads: WarehouseLoads) -> None:
    file = loads.upload(rows(GREEN, 3))
    loads.upload(rows(GREEN, 4))
    with pytest.raises(CloudNotReady, match="it was replaced during the load"):
        loads.load_file(file)
    assert loads.state() == {"green_tripdata": []}


def test_a_table_of_the_same_name_that_is_not_ours_is_refused_and_left_alone(loads: WarehouseLoads) -> None:
    loads.ask("create table `{}.green_tripdata` as select 1 as vendorid, 'a' as mine")
    with pytest.raises(SchemaMismatch, match="was not made by this platform") as failure:
        loads.load(rows(GREEN, 3))
    for part in ("mine STRING", "without unique_row_id", "partitioned by", "clustered by"):
        assert part in str(failure.value)
    assert loads.ask("select mine from `{}.green_tripdata`") == [("a",)]


def test_descriptions_of_columns_are_kept_up_to_date(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 3))
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.green_tripdata")
    fields = [field.to_api_repr() for field in table.schema]
    table.schema = [type(table.schema[0]).from_api_repr({**field, "description": "?"}) for field in fields]
    loads.cloud.bigquery.update_table(table, ["schema"])
    loads.load()
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.green_tripdata")
    assert "?" not in {field.description for field in table.schema}


def test_a_column_that_the_contract_got_later_is_added_and_loaded_months_stay_as_they_are(
    loads: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(SERVICES, "green", replace(GREEN, columns=GREEN.first_columns))
        loads.load(rows(GREEN, 3))
    later = [column.name for column in GREEN.columns if column not in GREEN.first_columns]
    assert later
    assert loads.load().unchanged
    assert loads.load(rows(GREEN, 4), month=APRIL).rows == 4
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.green_tripdata")
    assert [field.name for field in table.schema][-len(later) - 2 :] == ["file_month", "file_version", *later]
    assert loads.ask("select count(*), count(distinct unique_row_id) from `{}.green_tripdata`") == [(7, 4)]
    assert loads.load().unchanged


def test_a_column_that_the_contract_does_not_know_is_added_as_text_and_stays(
    loads: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_ON_NEW_COLUMNS", "add")
    settings.cache_clear()
    fees = [f"{header(GREEN)},new_FEE", *(f"{line},2.75" for line in rows(GREEN, 3))]
    loads.load(zipped("".join(line + "\r\n" for line in fees).encode()))
    loads.load(parquet(GREEN, rows(GREEN, 4), new_fee=pa.array(["a", "b", "c", None])), month=APRIL)
    loads.load(rows(GREEN, 5), month=APRIL.plus(1))
    found = loads.ask("select filename, count(*), max(new_fee) from `{}.green_tripdata` group by 1 order by 1")
    assert [tuple(row[1:]) for row in found] == [(3, "2.75"), (4, "c"), (5, None)]
    settings.cache_clear()

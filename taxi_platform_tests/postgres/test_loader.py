"""What a load leaves in the database: exactly its file's rows and the load record, whatever was there before."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from taxi_platform.errors import BadRows, DamagedFile, DatabaseRefused, SchemaMismatch
from taxi_platform.postgres import loader, tables
from taxi_platform.postgres.loader import load_month, rows_in_table
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service, column_comments
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, header, row, rows, text, with_field, zipped

LINES = rows(GREEN, 50)


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def stored(loads: Loads, table: str = "green_tripdata") -> list[str]:
    """Return the pickup times of a table's trips, which differ for each of the test's rows."""
    return [text for (text,) in loads.ask(f"select lpep_pickup_datetime::text from {table} order by 1")]


def pickups(lines: list[str]) -> list[str]:
    return sorted(line.split(",")[1] for line in lines)


# A month


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_month_has_exactly_its_files_values_and_the_contracts_comments(loads: Loads, service: Service) -> None:
    lines = rows(service, 50)
    loaded = loads.load(lines, service)
    assert (loaded.table, loaded.partition) == (
        f"public.{service.name}_tripdata",
        f"public.{service.name}_tripdata_2019_03",
    )
    assert (loaded.rows, loaded.rejected, loaded.unchanged) == (50, 0, False)
    expressions = ", ".join(
        f"{column.name}::{'numeric' if column.postgres == 'double precision' else 'text'}"
        for column in service.first_columns
    )
    found = loads.ask(f"select {expressions} from {service.table} order by {service.pickup}")
    for values, line in zip(found, lines, strict=True):
        for value, spelled, column in zip(values, line.split(","), service.first_columns, strict=True):
            if column.postgres == "double precision":
                assert (None if value is None else float(value)) == (float(spelled) if spelled else None)
            else:
                assert (value or "") == spelled
    assert loads.ask(
        f"select filename, count(*), count(distinct unique_row_id), min(length(unique_row_id)) "
        f"from {service.table} group by filename"
    ) == [(f"{service.name}_tripdata_2019-03.csv", 50, 50, 32)]
    assert loads.one(f"select obj_description('{service.table}'::regclass)") == service.description
    query = (
        "select attname, col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum"
    )
    for table in (service.table, service.partition_table(MARCH)):
        comments = loads.ask(query, table)
        assert comments == list(column_comments(service).items())
        assert comments[2:] == [(column.name, column.documentation) for column in service.columns]


def test_the_id_is_the_md5_of_what_the_course_concatenates(loads: Loads) -> None:
    lines = [
        "2,2019-01-01 00:10:16,2019-01-01 00:16:32,N,1,97,49,2,.86,6.50,0.5,0.5,0,0,,0.3,7.3,2,1,",
        ",2008-12-31 23:02:50.5,3019-01-01 00:00:00,,,7,8,,0,-7.00,,,,,,,,,,",
    ]
    loads.load(lines)
    assert loads.ask("select unique_row_id = md5(%s) from green_tripdata where vendorid = '2'", (
        "2" "2019-01-01 00:10:16" "2019-01-01 00:16:32" "97" "49" "6.5" "0.86"
    )) == [(True,)]  # fmt: skip
    assert loads.ask("select unique_row_id = md5(%s) from green_tripdata where vendorid is null", (
        "2008-12-31 23:02:50.5" "3019-01-01 00:00:00" "7" "8" "-7" "0"
    )) == [(True,)]  # fmt: skip


def test_a_row_belongs_to_its_files_month_wherever_its_pickup_lies(loads: Loads) -> None:
    strays = [
        with_field(GREEN, LINES[number], "lpep_pickup_datetime", moment)
        for number, moment in enumerate(["2008-12-31 23:00:00", "2041-08-17 16:24:31", "2019-04-01 00:00:00"])
    ]
    loads.load(strays)
    loads.load(rows(GREEN, 1), month=APRIL)
    assert stored(loads, "green_tripdata_2019_03") == pickups(strays)
    assert loads.one("select count(*) from green_tripdata where filename = 'green_tripdata_2019-04.csv'") == 1


def test_equal_rows_are_as_many_as_in_the_file(loads: Loads) -> None:
    assert loads.load([LINES[0]] * 3 + [LINES[1]] * 2).rows == 5
    assert stored(loads) == pickups([LINES[0]] * 3 + [LINES[1]] * 2)


def test_an_absent_optional_column_is_null(loads: Loads) -> None:
    lines = [line.rpartition(",")[0] for line in [header(FHV), *rows(FHV, 3)]]
    loads.load("".join(f"{line}\r\n" for line in lines).encode(), FHV)
    assert loads.ask("select count(*), count(affiliated_base_number) from fhv_tripdata") == [(3, 0)]


# Loading again


def test_loading_twice_changes_nothing(loads: Loads) -> None:
    first = loads.load(LINES)
    before = loads.state()
    again = loads.load()
    assert replace(again, seconds=first.seconds) == replace(first, unchanged=True)
    assert loads.state() == before


def test_a_corrected_file_corrects_the_table(loads: Loads) -> None:
    loads.load(LINES)
    corrected = [*LINES[5:], row(GREEN, 99)]
    loaded = loads.load(corrected)
    assert (loaded.rows, loaded.unchanged) == (46, False)
    assert stored(loads) == pickups(corrected)
    assert loads.ask("select rows_in_file, rows_loaded from tripdata_files") == [(46, 46)]


def test_forcing_loads_the_same_file_again(loads: Loads) -> None:
    loads.load(LINES)
    before = loads.one("select relfilenode from pg_class where relname = 'green_tripdata_2019_03'")
    assert not loads.load(force=True).unchanged
    assert stored(loads) == pickups(LINES)
    assert loads.one("select relfilenode from pg_class where relname = 'green_tripdata_2019_03'") != before


def test_other_months_and_services_stay_unchanged(loads: Loads) -> None:
    loads.load(LINES, month=APRIL)
    loads.load(rows(YELLOW, 7), YELLOW)
    april = "select t::text, tableoid, ctid::text from green_tripdata_2019_04 as t order by 1"
    yellow = "select t::text, tableoid, ctid::text from yellow_tripdata as t order by 1"
    before = loads.ask(april), loads.ask(yellow)
    for lines in (LINES, LINES[1:]):
        loads.load(lines)
    assert (loads.ask(april), loads.ask(yellow)) == before
    assert rows_in_table(loads.url, GREEN) == 99


@pytest.mark.parametrize(
    "statement",
    [
        "drop table green_tripdata_2019_03",
        "truncate green_tripdata_2019_03",
        "truncate green_tripdata",
        "drop table green_tripdata",
        "alter table green_tripdata detach partition green_tripdata_2019_03; drop table green_tripdata_2019_03",
        "delete from tripdata_files",
    ],
)
def test_what_somebody_removed_by_hand_is_loaded_again(loads: Loads, statement: str) -> None:
    loads.load(LINES)
    loads.ask(statement)
    loads.load()
    assert stored(loads) == pickups(LINES)
    assert loads.load().unchanged
    assert loads.one("select count(*) from green_tripdata_rejects") == 0


def test_a_month_that_somebody_detached_and_kept_is_not_dropped(loads: Loads) -> None:
    loads.load(LINES)
    loads.ask("alter table green_tripdata detach partition green_tripdata_2019_03")
    with pytest.raises(DatabaseRefused, match=r"green_tripdata_2019_03.*is not a partition"):
        loads.load(LINES[1:])
    assert stored(loads, "green_tripdata_2019_03") == pickups(LINES)


def test_a_changed_contract_is_a_reason_to_load_again(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    loads.load(LINES)
    monkeypatch.setattr(tables, "fingerprint", lambda service: "another")
    assert not loads.load().unchanged


# The file on disk


@pytest.mark.parametrize(
    "content",
    [zipped(text(GREEN, LINES[1:])), zipped(text(GREEN, LINES, "\n")), zipped(text(GREEN, [*LINES, "bad"]))],
    ids=["fewer rows", "other bytes", "a bad row"],
)
def test_a_file_that_changed_after_it_was_verified_is_not_loaded(loads: Loads, content: bytes) -> None:
    loads.load(LINES[:3])
    before = loads.state()
    loads.publish(LINES)
    file = loads.fetch()
    file.path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"green_tripdata_2019-03\.csv\.gz: it is not the file that was verified"):
        load_month(loads.url, file)
    assert loads.state() == before


def test_a_file_with_another_number_of_rows_than_was_verified_is_not_loaded(loads: Loads) -> None:
    loads.publish(LINES)
    file = loads.fetch()
    with pytest.raises(DamagedFile, match=r"50 rows, SHA-256 .*, where 49 and .* were expected"):
        load_month(loads.url, replace(file, facts=replace(file.facts, rows=49)))
    assert stored(loads) == []


def test_a_file_is_parsed_if_the_server_counts_other_rows_than_the_platform(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_blocks = loader.copy_blocks
    wrong = iter([1])
    monkeypatch.setattr(loader, "copy_blocks", lambda *arguments: copy_blocks(*arguments) - next(wrong, 0))
    assert loads.load(LINES).rows == 50
    assert stored(loads) == pickups(LINES)
    assert "green_tripdata_2019-03.csv: reading it line by line (50 lines became 49 rows)" in loads.logged


def test_the_error_says_that_a_file_is_gone(loads: Loads) -> None:
    loads.publish(LINES)
    file = loads.fetch()
    file.path.unlink()
    with pytest.raises(DamagedFile, match=r"green_tripdata_2019-03\.csv\.gz: the file is gone"):
        load_month(loads.url, file)


# Tables and views that are not ours


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("create table green_tripdata (unique_row_id text, filename text)", "it is not partitioned by file"),
        ("create table green_tripdata (filename text) partition by list (filename)", "its columns differ"),
        ("create view green_tripdata as select 1 as one", "it is not partitioned by file"),
    ],
)
def test_a_table_of_the_same_name_that_is_not_ours_is_refused_and_left_alone(
    loads: Loads, statement: str, why: str
) -> None:
    loads.ask(statement)
    before = loads.ask("select relname, relkind, relfilenode, xmin::text from pg_class where relname ~ 'tripdata'")
    with pytest.raises(SchemaMismatch) as caught:
        loads.load(LINES)
    message = str(caught.value)
    assert message.startswith("table public.green_tripdata: it exists and was not made by this platform (" + why)
    assert "alter table public.green_tripdata rename to green_tripdata_old" in message
    after = "select relname, relkind, relfilenode, xmin::text from pg_class where relname ~ 'tripdata'"
    assert loads.ask(after) == before


def test_a_table_that_lost_a_column_is_refused(loads: Loads) -> None:
    loads.load(LINES)
    loads.ask("alter table green_tripdata drop column ehail_fee")
    before = loads.state()
    with pytest.raises(SchemaMismatch, match=r"its columns differ: it lacks ehail_fee double.* Undo the change"):
        loads.load(LINES[1:])
    assert loads.state() == before


def test_a_view_on_a_partition_keeps_it_from_being_replaced_and_is_named(loads: Loads) -> None:
    loads.load(LINES)
    loads.ask("create view march as select * from green_tripdata_2019_03")
    before = loads.state()
    with pytest.raises(DatabaseRefused, match=r"view public\.march depends on table public\.green_tripdata_2019_03"):
        loads.load(LINES[1:])
    assert loads.state() == before


# Comments, partitions and records


def test_stale_comments_are_renewed_by_the_next_load(loads: Loads) -> None:
    loads.load(LINES)
    loads.ask("comment on column green_tripdata.extra is 'Else.'; comment on column green_tripdata.fare_amount is null")
    loads.load()
    for name in ("extra", "fare_amount"):
        found = loads.one(
            "select col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = 'green_tripdata'::regclass and attname = %s",
            name,
        )
        assert found == GREEN.column(name).documentation


def test_the_id_is_generated_by_the_table(loads: Loads) -> None:
    loads.load(LINES)
    kind = loads.one(
        "select attgenerated::text from pg_attribute "
        "where attrelid = 'green_tripdata_2019_03'::regclass and attname = 'unique_row_id'"
    )
    assert kind == ("v" if loads.one("select current_setting('server_version_num')::int") >= 180_000 else "s")


def test_a_month_is_attached_with_a_check_that_names_its_file(loads: Loads) -> None:
    loads.load(LINES)
    assert loads.ask(
        "select relname, pg_get_expr(relpartbound, oid) from pg_class where relispartition and relkind = 'r'"
    ) == [("green_tripdata_2019_03", "FOR VALUES IN ('green_tripdata_2019-03.csv')")]
    assert (
        loads.one(
            "select conname from pg_constraint where conrelid = 'green_tripdata_2019_03'::regclass and contype = 'c'"
        )
        == "file_month"
    )


def test_a_query_for_a_month_reads_that_months_table_alone(loads: Loads) -> None:
    for month in (MARCH, APRIL):
        loads.load(LINES, month=month)
    plan = loads.ask("explain select * from green_tripdata where filename = 'green_tripdata_2019-04.csv'")
    assert "green_tripdata_2019_04" in str(plan)
    assert "green_tripdata_2019_03" not in str(plan)


def test_what_is_known_of_a_file_is_recorded(loads: Loads) -> None:
    loads.load(LINES)
    file = loads.fetch()
    (record,) = loads.ask(
        "select filename, table_name, partition_name, source, sha256, file_bytes, csv_bytes, "
        "rows_in_file, rows_loaded, rows_rejected, contract, filenode, loaded_at > now() - interval '1 minute' "
        "from tripdata_files"
    )
    filenode = loads.one("select pg_relation_filenode('green_tripdata_2019_03')")
    assert record == (
        "green_tripdata_2019-03.csv",
        "public.green_tripdata",
        "public.green_tripdata_2019_03",
        file.source,
        file.sha256,
        file.bytes,
        file.csv_bytes,
        50,
        50,
        0,
        tables.fingerprint(GREEN),
        filenode,
        True,
    )


def test_the_rows_of_a_table_are_the_sum_of_its_files(loads: Loads) -> None:
    loads.load(LINES)
    loads.load(LINES[:9], month=APRIL)
    loads.load(rows(FHV, 3), FHV)
    assert [rows_in_table(loads.url, service) for service in (GREEN, FHV, YELLOW)] == [59, 3, 0]


# Bad rows set aside


BAD = {
    3: "2,short",
    5: with_field(GREEN, LINES[3], "trip_distance", "far"),
    8: with_field(GREEN, LINES[6], "extra", "1e999"),
}
REASONS = {
    3: "2 fields where the header has 20",
    5: "trip_distance 'far' is not a number",
    8: "extra '1e999' is too large for an amount",
}


def with_bad(lines: list[str]) -> list[str]:
    """Return the lines with those of ``BAD`` inserted; a key of ``BAD`` is the line number in the file."""
    mixed = [*lines]
    for number, bad in BAD.items():
        mixed.insert(number - 2, bad)
    return mixed


def test_bad_rows_fail_their_month_and_are_listed_with_their_lines(loads: Loads) -> None:
    with pytest.raises(BadRows) as caught:
        loads.load(with_bad(LINES))
    message = str(caught.value)
    assert message.startswith("green_tripdata_2019-03.csv: 3 of 53 rows cannot be stored:\n")
    for number, reason in REASONS.items():
        assert f"\n  line {number}: {reason}: {BAD[number]}\n" in message
    assert "TAXI_ON_BAD_ROWS=quarantine" in message
    assert stored(loads) == []


def test_no_more_than_ten_bad_rows_are_listed(loads: Loads) -> None:
    with pytest.raises(
        BadRows, match=r"(?s)15 of 65 rows.*line 11: 1 fields where[^\n]*\n  … and 5 more\nThe table is"
    ):
        loads.load(["bad"] * 15 + LINES)


def test_bad_rows_set_aside_go_to_the_rejects_with_file_line_text_and_reason(loads: Loads) -> None:
    loaded = loads.load(with_bad(LINES), max_bad_rows=1)
    assert (loaded.rows, loaded.rejected) == (50, 3)
    assert stored(loads) == pickups(LINES)
    assert loads.ask("select filename, line, text, reason from green_tripdata_rejects order by line") == [
        ("green_tripdata_2019-03.csv", number, BAD[number], REASONS[number]) for number in BAD
    ]
    assert loads.ask("select rows_in_file, rows_loaded, rows_rejected from tripdata_files") == [(53, 50, 3)]


@pytest.mark.parametrize("content", [LINES, with_bad(LINES), ["bad", LINES[0]], [*LINES, "", "bad"]])
def test_rows_in_the_file_are_those_loaded_and_those_rejected(loads: Loads, content: list[str]) -> None:
    loaded = loads.load(content, max_bad_rows=1)
    assert loaded.rows + loaded.rejected == loads.fetch().rows == sum(map(bool, content))
    assert loads.one("select count(*) from green_tripdata") == loaded.rows
    assert loads.one("select count(*) from green_tripdata_rejects") == loaded.rejected


def test_rejects_are_replaced_with_their_month_and_no_other(loads: Loads) -> None:
    loads.load(["bad april", *LINES], month=APRIL, max_bad_rows=1)
    loads.load(with_bad(LINES), max_bad_rows=1)
    loads.load(["worse", *LINES], max_bad_rows=1)
    rejects = "select filename, text from green_tripdata_rejects order by 1"
    april = ("green_tripdata_2019-04.csv", "bad april")
    assert loads.ask(rejects) == [("green_tripdata_2019-03.csv", "worse"), april]
    loads.load(LINES)
    assert loads.ask(rejects) == [april]


def test_a_month_with_rejects_is_unchanged_as_long_as_they_are_set_aside(loads: Loads) -> None:
    loads.load(with_bad(LINES), max_bad_rows=1)
    before = loads.state()
    again = loads.load(max_bad_rows=1)
    assert (again.unchanged, again.rows, again.rejected) == (True, 50, 3)
    with pytest.raises(BadRows, match="3 of 53 rows cannot be stored"):
        loads.load()
    assert loads.state() == before


def test_a_month_whose_rejects_somebody_dropped_is_loaded_again(loads: Loads) -> None:
    loads.load(with_bad(LINES), max_bad_rows=1)
    loads.ask("drop table green_tripdata_rejects")
    assert not loads.load(max_bad_rows=1).unchanged
    assert loads.one("select count(*) from green_tripdata_rejects") == 3


@pytest.mark.parametrize(("share", "passes"), [(0.05, False), (0.0566, False), (0.0567, True), (1.0, True)])
def test_a_month_with_too_many_bad_rows_fails_although_they_would_be_quarantined(
    loads: Loads, share: float, passes: bool
) -> None:
    loads.load(LINES)
    before = loads.state()
    loads.publish(with_bad(LINES))  # 3 of 53
    if passes:
        assert load_month(loads.url, loads.fetch(), max_bad_rows=share).rejected == 3
        return
    with pytest.raises(BadRows, match=rf"3 of 53 rows cannot be stored(?s:.*)TAXI_MAX_BAD_ROWS allows {share} of"):
        load_month(loads.url, loads.fetch(), max_bad_rows=share)
    assert loads.state() == before


@pytest.mark.parametrize("before", [[], LINES])
def test_a_file_without_one_good_row_is_never_loaded(loads: Loads, before: list[str]) -> None:
    """Check that the load fails, because it would replace a month of trips by nothing."""
    if before:
        loads.load(before)
    state = loads.state()
    with pytest.raises(BadRows, match=r"3 of 3 rows cannot be stored:(?s:.*)Not one row is good"):
        loads.load(["bad"] * 3, max_bad_rows=1)
    assert {**loads.state(), "tables": []} == {**state, "tables": []} or not before
    assert loads.one("select count(*) from green_tripdata") == len(before)


def test_many_blocks_of_a_file_that_is_parsed_are_all_loaded(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.trips.records.BLOCK", 700)
    quoted = [with_field(GREEN, line, "store_and_fwd_flag", f'"{number}\nY"') for number, line in enumerate(LINES)]
    huge = with_field(GREEN, LINES[0], "fare_amount", "-1e999")
    loaded = loads.load([*quoted[:20], huge, *quoted[20:], huge], max_bad_rows=1)
    assert (loaded.rows, loaded.rejected) == (50, 2)
    assert loads.ask("select line from green_tripdata_rejects order by line") == [(42,), (103,)]
    assert loads.one("select count(distinct store_and_fwd_flag) from green_tripdata") == 50


# Files as other programs rewrite them


def test_a_month_that_pandas_rewrote_is_the_same_month(loads: Loads) -> None:
    lines = [*LINES, with_field(GREEN, with_field(GREEN, LINES[0], "vendorid", ""), "passenger_count", "")]
    loads.load(lines)
    before = loads.ask("select t::text from green_tripdata as t order by 1")
    floats = [column.name for column in GREEN.first_columns if column.is_code or column.postgres == "integer"]
    rewritten = []
    for line in lines[::-1]:  # the rows without VendorID first
        for name in floats:
            field = line.split(",")[[column.name for column in GREEN.first_columns].index(name)]
            line = with_field(GREEN, line, name, field and field + ".0")
        rewritten.append(line)
    loads.load(rewritten)
    assert loads.ask("select t::text from green_tripdata as t order by 1") == before


@pytest.mark.parametrize("table", ["tripdata_files", "green_tripdata_rejects"])
def test_a_companion_table_that_somebody_dropped_is_created_again(loads: Loads, table: str) -> None:
    loads.load(LINES)
    loads.ask(f"drop table {table}")
    loads.load(rows(GREEN, 60))
    assert len(stored(loads)) == 60
    assert loads.ask(f"select to_regclass('{table}') is not null") == [(True,)]


def test_a_leftover_that_somebody_reads_does_not_stop_other_months(loads: Loads) -> None:
    loads.load(LINES)
    loads.ask("create table green_tripdata_2019_05_loading (like green_tripdata)")
    with psycopg.connect(loads.url) as reader:
        reader.execute("lock table green_tripdata_2019_05_loading in access share mode")
        assert loads.load(rows(GREEN, 3), month=APRIL).rows == 3
    assert loads.one("select to_regclass('green_tripdata_2019_05_loading') is not null")
    loads.load(rows(GREEN, 4), month=APRIL)
    assert loads.one("select to_regclass('green_tripdata_2019_05_loading') is null")

"""Small tables that are written from pandas or Arrow, and tables that are read as pandas or Arrow."""

import datetime as dt
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from taxi_platform.errors import DatabaseInterrupted, DatabaseRefused, SchemaMismatch
from taxi_platform.postgres import connection as connections
from taxi_platform.postgres import frames
from taxi_platform.postgres.frames import Rows, TableReference, as_small_table, read_arrow, read_pandas, replace_table
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows, with_field

ZONES = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "zone": ["Newark", "N/A", None], "miles": [0.5, None, 2.0]})
MORE = pa.table({"id": pa.array([7], pa.int32()), "zone": ["Queens"], "miles": [1.5]})
COMMENTS = {"id": "The zone's number.", "zone": 'Its "name".'}


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def store(loads: Loads, data: pa.Table, comment: str = "It's the zones.") -> None:
    replace_table(loads.url, "zones", data, comment, COMMENTS)


def stored(loads: Loads) -> list[tuple[object, ...]]:
    return loads.ask("select id, zone, miles from zones order by id")


# Writing


def test_a_table_is_stored_with_its_types_and_comments(loads: Loads) -> None:
    store(loads, ZONES)
    assert stored(loads) == [(1, "Newark", 0.5), (2, "N/A", None), (3, None, 2.0)]
    assert loads.one("select obj_description('zones'::regclass)") == "It's the zones."
    assert loads.ask(
        "select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = 'public.zones'::regclass and attnum > 0 order by attnum"
    ) == [
        ("id", "integer", "The zone's number."),
        ("zone", "text", 'Its "name".'),
        ("miles", "double precision", None),
    ]


def test_a_data_frame_is_stored_without_its_index(loads: Loads) -> None:
    frame = pd.DataFrame(
        {
            "id": pd.array([1, None], dtype="Int32"),
            "zone": ["Newark", None],
            "day": np.array(["2019-03-01T00:10:16", "3019-02-03"], dtype="datetime64[us]"),
            "ok": [True, False],
        },
        index=[7, 8],
    )
    replace_table(loads.url, "zones", as_small_table(frame), "", {})
    assert loads.ask("select * from zones order by id") == [
        (1, "Newark", dt.datetime(2019, 3, 1, 0, 10, 16), True),
        (None, None, dt.datetime(3019, 2, 3), False),
    ]


def test_rows_are_stored_like_arrow_and_replace_each_other(loads: Loads) -> None:
    columns = {"id": "integer", "zone": "text", "miles": "double precision"}
    rows = list(zip(*ZONES.to_pydict().values(), strict=True))
    replace_table(loads.url, "zones", Rows(columns, rows), "It's the zones.", COMMENTS)
    assert stored(loads) == rows
    store(loads, MORE)
    replace_table(loads.url, "zones", Rows(columns, rows), "Others.", COMMENTS)
    assert stored(loads) == rows
    assert loads.one("select obj_description('zones'::regclass)") == "Others."
    with pytest.raises(SchemaMismatch, match=r"its columns are \['id', 'zone', 'miles'\], not \['id'\]"):
        replace_table(loads.url, "zones", Rows({"id": "integer"}, [(1,)]), "", {})
    with pytest.raises(DatabaseRefused, match="invalid input syntax for type integer"):
        replace_table(loads.url, "zones", Rows(columns, [("seven", None, None)]), "", {})
    assert stored(loads) == rows


def test_storing_again_replaces_the_rows_and_the_comments(loads: Loads) -> None:
    store(loads, ZONES)
    store(loads, MORE, "Others.")
    assert stored(loads) == [(7, "Queens", 1.5)]
    assert loads.one("select obj_description('zones'::regclass)") == "Others."


def test_a_table_without_rows_is_stored(loads: Loads) -> None:
    store(loads, ZONES)
    store(loads, ZONES.slice(0, 0))
    assert stored(loads) == []


def test_names_of_columns_may_be_anything(loads: Loads) -> None:
    data = pa.table({"LocationID": [1], 'a "b", c': [2], "select": [3]})
    for _ in range(2):
        replace_table(loads.url, "zones", data, "", {"LocationID": "A number."})
    assert loads.ask('select "LocationID", "a ""b"", c", "select" from zones') == [(1, 2, 3)]


def test_views_and_privileges_on_a_replaced_table_stay(loads: Loads) -> None:
    store(loads, ZONES)
    loads.ask("create view names as select zone from zones; grant select on zones to public")
    before = loads.one("select 'zones'::regclass::oid")
    store(loads, MORE)
    assert loads.ask("select * from names") == [("Queens",)]
    assert loads.one("select 'zones'::regclass::oid") == before
    assert "=r/" in str(loads.one("select relacl::text from pg_class where relname = 'zones'"))


@pytest.mark.parametrize(
    "data",
    [
        MORE.drop_columns(["miles"]),
        MORE.append_column("borough", pa.array(["Queens"])),
        MORE.rename_columns(["id", "name", "miles"]),
    ],
    ids=["a column less", "a column more", "another name"],
)
def test_a_table_with_other_columns_is_refused_and_left_alone(loads: Loads, data: pa.Table) -> None:
    store(loads, ZONES)
    with pytest.raises(
        SchemaMismatch, match=r"^table public\.zones: its columns are \['id', 'zone', 'miles'\], not \["
    ):
        replace_table(loads.url, "zones", data, "", {})
    assert len(stored(loads)) == 3


def test_values_of_another_type_are_refused_and_the_table_is_left_alone(loads: Loads) -> None:
    store(loads, ZONES)
    data = MORE.set_column(0, "id", pa.array(["seven"]))
    with pytest.raises(DatabaseRefused, match='column "id" is of type integer but expression is of type text'):
        store(loads, data)
    assert len(stored(loads)) == 3


@pytest.mark.parametrize("data", [None, [1, 2], {"id": [1]}, "zones"])
def test_data_that_is_neither_pandas_nor_arrow_is_refused(data: object) -> None:
    with pytest.raises(TypeError, match=f"pandas.DataFrame or pyarrow.Table, not {type(data)}"):
        as_small_table(data)  # type: ignore[arg-type]


def test_readers_see_the_old_rows_or_the_new_ones(loads: Loads) -> None:
    store(loads, ZONES)
    seen = set[object]()
    ended = threading.Event()

    def poll() -> None:
        with psycopg.connect(loads.url, autocommit=True) as connection:
            while not ended.is_set():
                seen.update(connection.execute("select count(*), sum(id) from zones"))

    thread = threading.Thread(target=poll)
    thread.start()
    for number in range(10):
        store(loads, MORE if number % 2 else ZONES)
    ended.set()
    thread.join()
    assert seen <= {(3, 6), (1, 7)}
    assert len(seen) == 2


def test_writers_at_the_same_time_take_turns(loads: Loads) -> None:
    errors: list[BaseException] = []

    def replace(data: pa.Table) -> None:
        try:
            store(loads, data)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=replace, args=(data,)) for data in (ZONES, MORE, ZONES, MORE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert loads.ask("select count(*), sum(id) from zones") in ([(3, 6)], [(1, 7)])


def test_a_write_gives_up_while_somebody_holds_a_lock(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    store(loads, ZONES)
    monkeypatch.setitem(connections._SESSION, "lock_timeout", "100ms")  # pyright: ignore[reportPrivateUsage]
    with psycopg.connect(loads.url) as other:
        other.execute("lock table zones")
        with pytest.raises(DatabaseInterrupted, match=r"^zones: PostgreSQL gave up waiting \(.*lock timeout"):
            store(loads, MORE)
    assert len(stored(loads)) == 3


def test_a_write_is_interrupted_if_the_server_goes_away(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    store(loads, ZONES)

    def kill(*_: object) -> None:
        loads.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

    monkeypatch.setattr(frames, "_check_columns", kill)
    with pytest.raises(DatabaseInterrupted, match=r"^zones: PostgreSQL went away") as caught:
        store(loads, MORE)
    assert caught.value.transient
    assert len(stored(loads)) == 3


# Reading


@pytest.fixture
def trips(loads: Loads) -> Loads:
    """Load three rows of March, one of them without a vendor, and five of April."""
    blank = rows(GREEN, 1, first=2)[0]
    for name in ("vendorid", "passenger_count", "payment_type"):
        blank = with_field(GREEN, blank, name, "")
    loads.load([*rows(GREEN, 2), with_field(GREEN, blank, "lpep_dropoff_datetime", "3019-02-03 17:30:00")])
    loads.load(rows(GREEN, 5, first=10), month=APRIL)
    return loads


def month(*months: object) -> TableReference:
    return TableReference("public.green_tripdata", [f"green_tripdata_{key}.csv" for key in months])


def test_a_month_is_read_as_arrow_with_the_databases_types(trips: Loads) -> None:
    found = read_arrow(trips.url, month(MARCH))
    assert found.num_rows == 3
    assert found.column_names == ["unique_row_id", "filename", *(column.name for column in GREEN.columns)]
    types = {
        "text": pa.string(),
        "timestamp": pa.timestamp("us"),
        "integer": pa.int32(),
        "double precision": pa.float64(),
    }
    for column in GREEN.columns:
        assert found.schema.field(column.name).type == types[column.postgres], column.name
    assert sorted(found["vendorid"].to_pylist(), key=str) == ["1", "2", None]
    assert max(found["lpep_dropoff_datetime"].to_pylist()) == dt.datetime(3019, 2, 3, 17, 30)


def test_a_month_is_read_as_pandas_and_missing_counts_stay_whole_numbers(trips: Loads) -> None:
    frame = read_pandas(trips.url, month(MARCH)).sort_values("lpep_pickup_datetime", ignore_index=True)
    assert len(frame) == 3
    assert str(frame["passenger_count"].dtype) == "Int32"
    assert frame["passenger_count"].isna().tolist() == [False, False, True]
    assert frame["passenger_count"].tolist()[:2] == [1, 1]
    assert str(frame["lpep_dropoff_datetime"].dtype) == "datetime64[us]"
    assert frame["lpep_dropoff_datetime"].max().year == 3019
    assert str(frame["trip_distance"].dtype) == "float64"
    assert frame["ehail_fee"].isna().all()
    assert frame["vendorid"].tolist()[:2] == ["1", "2"]
    assert set(frame["filename"]) == {"green_tripdata_2019-03.csv"}


@pytest.mark.parametrize(
    ("reference", "count"),
    [
        (month(MARCH), 3),
        (month(APRIL), 5),
        (month(MARCH, APRIL), 8),
        (month(MARCH, "2019-05"), 3),
        (month("2019-05"), 0),
        (month(), 8),
    ],
)
def test_months_ranges_and_the_whole_table_can_be_read(trips: Loads, reference: TableReference, count: int) -> None:
    assert read_arrow(trips.url, reference).num_rows == count
    assert len(read_pandas(trips.url, reference)) == count


def test_a_small_table_comes_back_as_it_was_stored(loads: Loads) -> None:
    store(loads, ZONES)
    assert read_arrow(loads.url, TableReference("public.zones")).sort_by("id").equals(ZONES)
    frame = read_pandas(loads.url, TableReference("public.zones"))
    assert str(frame["id"].dtype) == "Int32"


def test_a_table_that_does_not_exist_is_named(loads: Loads) -> None:
    with pytest.raises(DatabaseRefused, match=r"fhv_tripdata.* does not exist"):
        read_arrow(loads.url, TableReference(f"public.{FHV.table}"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:p@h:5432/ny_taxi", "ny_taxi"),
        ("postgresql://u:p@h", "u"),
        ("host=h dbname=trips user=u", "trips"),
        ("postgresql://h", "postgres"),
    ],
)
def test_the_name_of_the_database_comes_from_its_url(url: str, name: str) -> None:
    assert frames.database_of(url) == name

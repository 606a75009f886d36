"""The role that runs a model's statement: it can read only the trips and the models, whatever it runs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from taxi_platform.assistant import sql
from taxi_platform.assistant.model import AnswerRefused
from taxi_platform.assistant.sql import LONGEST_CELL, ROWS, QueryResult, Reader, reader, role_of
from taxi_platform.errors import DatabaseRefused

TABLES = """
create table public.green_tripdata (filename text, fare_amount double precision) partition by list (filename);
create table public.green_tripdata_2020_04 partition of public.green_tripdata for values in ('april');
insert into public.green_tripdata values ('april', 7.5), ('april', null);
comment on column public.green_tripdata.fare_amount is 'The fare.';
create table public.secrets (secret text);
insert into public.secrets values ('a secret');
create schema analytics;
create table analytics.dim_zones (zone text);
"""


@pytest.fixture
def trips(database: str) -> Iterator[str]:
    """Yield a database with trips, a model and a table that is not ours, and drop its reading role afterwards."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
        yield database
        role = role_of(connection.info.dbname)
        if connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
            connection.execute(f"drop owned by {role}".encode())
            connection.execute(f"drop role {role}".encode())


@pytest.fixture
def one(trips: str) -> Iterator[Reader]:
    with reader(trips) as opened:
        yield opened


def test_it_sees_trips_and_models_with_their_meanings_and_nothing_else(one: Reader) -> None:
    assert one.role.endswith("_reader")
    assert one.schema == {
        "analytics.dim_zones": {"zone": "text"},
        "public.green_tripdata": {"filename": "text", "fare_amount": "double precision: The fare."},
    }
    rows = one.run("select fare_amount, 'x' as x from green_tripdata order by 1")
    assert (rows.columns, rows.rows, rows.is_cut) == (["fare_amount", "x"], [("7.5", "x"), (None, "x")], False)


def test_a_table_whose_name_needs_quotes_is_left_out_and_the_others_can_be_queried(trips: str) -> None:
    with psycopg.connect(trips, autocommit=True) as connection:
        connection.execute('create table analytics."My table" (a integer)')
    with reader(trips) as one:
        assert one.schema.keys() == {"analytics.dim_zones", "public.green_tripdata"}
        assert one.run("select count(*) from green_tripdata").rows == [("2",)]


def test_a_statement_cannot_fill_the_log_of_the_embedded_server(one: Reader, trips: str) -> None:
    with psycopg.connect(trips) as connection:
        if connection.execute("show cluster_name").fetchone() != ("taxi_platform",):
            pytest.skip("rights of functions are changed in the embedded server only")
    with pytest.raises(AnswerRefused, match="permission denied for function pg_logical_emit_message"):
        one.run("select pg_logical_emit_message(false, 'x', repeat('x', 1000))")


QUERIES = [
    "select count(*) as trips from green_tripdata where filename = 'green_tripdata_2020-04.csv';",
    "select round(avg(fare_amount)::numeric, 2), count(*) filter (where fare_amount > 0) from public.green_tripdata",
    "with g as (select filename as f from green_tripdata) select count(*) from g where f in (select 'a' from g)",
    "select 'green' as s, count(*) from GREEN_tripdata union all select 'zones', count(*) from dim_zones order by 1",
    "select percentile_cont(0.5) within group (order by fare_amount) from green_tripdata -- the median",
    "select 1 as a, 2 as a, 3, rank() over (order by fare_amount desc nulls last) from green_tripdata limit 5",
    "select string_agg(filename, ';') from green_tripdata group by filename having count(*) > 1;\n",
]
REFUSED = [
    "",
    "select count(*) from",
    "select 1; select 2",
    "select 1) as a; delete from green_tripdata; select * from (select 1",
    "select 1) as a; commit; delete from green_tripdata --",
    "delete from green_tripdata",
    "insert into green_tripdata values ('april', 1)",
    "update green_tripdata set fare_amount = 0",
    "merge into green_tripdata using dim_zones on true when matched then delete",
    "truncate green_tripdata",
    "drop table green_tripdata",
    "create table mine (a int)",
    "create temporary table mine (a int)",
    "with gone as (delete from green_tripdata returning 1) select count(*) from gone",
    "with new as (insert into green_tripdata select 'april' returning 1) select 1 from new",
    "select * into copied from green_tripdata",
    "select * from green_tripdata for update",
    "lock table green_tripdata",
    "explain analyze delete from green_tripdata",
    "do $$ begin delete from green_tripdata; end $$",
    "call x()",
    "begin; commit; delete from green_tripdata",
    "prepare p as delete from green_tripdata",
    "vacuum green_tripdata",
    "copy green_tripdata to '/tmp/x'",
    "copy green_tripdata to stdout",
    "copy (select 1) to program 'true'",
    "copy green_tripdata from program 'curl example.com'",
    "set role postgres",
    "set session authorization postgres",
    "reset all",
    "alter role current_user superuser",
    "alter system set work_mem = '1GB'",
    "grant all on green_tripdata to public",
    "select set_config('role', 'postgres', false)",
    "select set_config('session_authorization', 'postgres', false)",
    "select * from secrets",
    "select * from public.secrets",
    "select (select secret from secrets) from green_tripdata",
    "select rolpassword from pg_authid",
    "select * from pg_shadow",
    "select passwd from pg_catalog.pg_shadow",
    "select umoptions from pg_user_mapping",
    "select * from pg_hba_file_rules",
    "select * from pg_file_settings",
    "select pg_read_file('/etc/passwd')",
    "select \"pg_read_file\"('/etc/passwd')",
    "select PG_CATALOG.PG_READ_BINARY_FILE('/etc/passwd')",
    "select * from pg_read_file('/etc/passwd')",
    "select pg_stat_file('postgresql.conf')",
    "select pg_ls_dir('/')",
    "select pg_ls_logdir()",
    "select lo_import('/etc/passwd')",
    "select lo_export(1, '/tmp/x')",
    "select * from dblink('host=example.com', 'select 1') as t (a int)",
    "select query_to_xml('delete from green_tripdata', true, true, '')",
    "select query_to_xml('select * from secrets', true, true, '')",
    "select table_to_xml('secrets', true, true, '')",
    "select nextval('s')",
    "select setval('s', 1)",
    "select pg_reload_conf()",
    "select pg_rotate_logfile()",
    "select pg_switch_wal()",
    "select pg_promote()",
    "select pg_stat_reset()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user",
    "select pg_create_restore_point('x')",
    "select pg_create_physical_replication_slot('x')",
    "select pg_import_system_collations('public')",
    "select 1 from ny_taxi.public.green_tripdata",
    'select 1 from "GREEN_TRIPDATA"',
    "select $1",
    "select 'a') as a (x) union all select repeat('x', 1000) from (select 'b'",
    "select 1 for update; select 2",
    "select 1\0; drop table green_tripdata",
]
# PostgreSQL 15 runs these, and later versions refuse them.
HARMLESS = [
    "select lo_from_bytea(0, 'x')",
    "select substring(schema_to_xml('public', true, true, '')::text from 'secret.*')",
]


def run_or_refuse(one: Reader, statement: str) -> QueryResult | None:
    try:
        return one.run(statement)
    except AnswerRefused:
        return None


def test_queries_are_run(one: Reader) -> None:
    assert [query for query in QUERIES if not one.run(query).columns] == []


def test_everything_that_is_not_a_query_of_the_trips_is_refused(one: Reader, trips: str) -> None:
    assert [statement for statement in REFUSED if run_or_refuse(one, statement)] == []
    assert one.run("select count(*) from green_tripdata").rows == [("2",)]


def test_statements_that_some_versions_allow_show_and_change_nothing(one: Reader, trips: str) -> None:
    results = [run_or_refuse(one, statement) for statement in HARMLESS]
    assert not any("secret" in (cell or "") for result in results if result for row in result.rows for cell in row)
    with psycopg.connect(trips) as connection:
        assert connection.execute("select count(*) from pg_largeobject_metadata").fetchone() == (0,)


def test_a_statement_keeps_no_lock_that_loads_wait_for(one: Reader, trips: str) -> None:
    one.run("select pg_advisory_lock(42)")
    with psycopg.connect(trips) as connection:
        assert connection.execute("select pg_try_advisory_lock(42)").fetchone() == (True,)


def test_settings_that_a_statement_changes_give_it_no_more_rights(one: Reader) -> None:
    for name in ("transaction_read_only", "default_transaction_read_only"):
        run_or_refuse(one, f"select set_config('{name}', 'off', false)")
    assert run_or_refuse(one, "delete from green_tripdata") is None


def test_only_the_first_rows_and_the_beginning_of_their_cells_are_read(one: Reader) -> None:
    rows = one.run("select repeat('x', 1000) from pg_class as a, pg_class as b, pg_class as c")
    assert (len(rows.rows), rows.is_cut) == (ROWS, True)
    assert {len(cell or "") for row in rows.rows for cell in row} == {LONGEST_CELL}


def test_a_huge_cell_does_not_reach_the_client(one: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    fetch = psycopg.Cursor.fetchall

    def measure(cursor: psycopg.Cursor[tuple[object, ...]]) -> list[tuple[object, ...]]:
        rows = fetch(cursor)
        received.extend(len(str(cell)) for row in rows for cell in row)
        return rows

    monkeypatch.setattr(psycopg.Cursor, "fetchall", measure)
    rows = one.run("select repeat('x', 125000000) as x, 1 as x, array[row(1, 'y')], pg_sleep(0)")
    assert rows.columns == ["x", "x", "array", "pg_sleep"]
    assert rows.rows[0][1:] == ("1", '{"(1,y)"}', "")
    assert max(received) == LONGEST_CELL


def test_a_backslash_does_not_end_a_string_even_if_the_database_says_so(trips: str) -> None:
    with psycopg.connect(trips, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set standard_conforming_strings = off".encode())
    attack = r"select '\' as a, ' || pg_sleep(60)::text -- '"
    with reader(trips) as one:
        assert one.run(attack).rows == [("\\", " || pg_sleep(60)::text -- ")]


def test_a_statement_that_takes_too_long_is_ended(trips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "STATEMENT_SECONDS", 1)
    with reader(trips) as one, pytest.raises(AnswerRefused, match="statement timeout"):
        one.run("select pg_sleep(60)")


def test_the_role_can_log_in_only_while_a_session_begins(one: Reader, trips: str) -> None:
    with psycopg.connect(trips) as connection:
        found = connection.execute("select rolcanlogin, rolpassword from pg_authid where rolname = %s", (one.role,))
        assert found.fetchall() == [(False, None)]


def test_many_sessions_can_query_at_once_and_a_rebuilt_model_is_readable_again(trips: str) -> None:
    def count() -> list[tuple[str | None, ...]]:
        with reader(trips) as one:
            return [*one.run("select count(*) from dim_zones").rows]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: count(), range(6))) == [[("0",)]] * 6
    with psycopg.connect(trips) as connection:
        connection.execute("drop table analytics.dim_zones")
        connection.execute("create table analytics.dim_zones as select 'JFK' as zone")
    assert count() == [("1",)]


def test_a_login_that_may_not_create_roles_runs_no_statement_and_the_error_says_what_to_do(trips: str) -> None:
    name = f"{urlsplit(trips).path[1:]}_owner"
    with psycopg.connect(trips, autocommit=True) as connection:
        connection.execute(f"create role {name} login password 'p' in role pg_read_all_data".encode())
        try:
            host = urlsplit(trips).netloc.rpartition("@")[2]
            with (
                pytest.raises(DatabaseRefused, match=f"alter role {name} createrole"),
                reader(urlsplit(trips)._replace(netloc=f"{name}:p@{host}").geturl()),
            ):
                pass
        finally:
            connection.execute(f"drop role {name}".encode())


def test_an_owner_who_is_not_a_superuser_can_create_the_role_as_in_compose(trips: str) -> None:
    database = urlsplit(trips).path[1:]
    name = f"{database}_owner"
    with psycopg.connect(trips, autocommit=True) as connection:
        connection.execute(f"create role {name} login createrole password 'p'".encode())
        try:
            connection.execute(f"revoke connect on database {database} from public".encode())
            connection.execute(f"alter database {database} owner to {name}".encode())
            connection.execute(f"alter schema analytics owner to {name}".encode())
            for table in ("public.green_tripdata", "analytics.dim_zones"):
                connection.execute(f"alter table {table} owner to {name}".encode())
            host = urlsplit(trips).netloc.rpartition("@")[2]
            for _ in range(2):
                with reader(urlsplit(trips)._replace(netloc=f"{name}:p@{host}").geturl()) as one:
                    assert one.role == role_of(database)
                    assert one.run("select count(*) from green_tripdata").rows == [("2",)]
        finally:
            connection.execute(f"reassign owned by {name} to current_user".encode())
            connection.execute(f"drop owned by {role_of(database)}; drop role {role_of(database)}".encode())
            connection.execute(f"drop owned by {name}; drop role {name}".encode())

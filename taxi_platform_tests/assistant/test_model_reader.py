"""Who runs a model's statement: a role that may only read, with statements that no parser has seen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from taxi_platform.assistant.data import reader as module
from taxi_platform.assistant.data.reader import Reader, reader, role_of
from taxi_platform.assistant.data.rows import LONGEST_CELL, ROWS, rows_of
from taxi_platform.assistant.data.schema import schema_of
from taxi_platform.assistant.data.statement import StatementRefused, checked

TABLES = """
create table public.green_tripdata (filename text, fare_amount double precision) partition by list (filename);
create table public.green_tripdata_2020_04 partition of public.green_tripdata for values in ('april');
insert into public.green_tripdata values ('april', 7.5), ('april', null);
comment on column public.green_tripdata.fare_amount is 'The fare.';
create table public.secrets (secret text);
create schema analytics;
create table analytics.dim_zones (zone text);
"""


@pytest.fixture
def trips(database: str) -> Iterator[str]:
    """A database with a table of trips, a model, and a table that is none of ours; its reader is gone afterwards."""
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
    assert one.remark == ""
    assert schema_of(one) == {
        "analytics.dim_zones": {"zone": "text"},
        "public.green_tripdata": {"filename": "text", "fare_amount": "double precision: The fare."},
    }
    rows = rows_of(one, "select fare_amount, 'x' as x from green_tripdata order by 1")
    assert (rows.columns, rows.rows, rows.is_cut) == (["fare_amount", "x"], [["7.5", "x"], [None, "x"]], False)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from secrets",
        "select rolpassword from pg_authid",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('/')",
        "copy green_tripdata to '/tmp/x'",
        "copy (select 1) to program 'true'",
        "insert into green_tripdata values ('april', 1)",
        "delete from green_tripdata",
        "truncate green_tripdata",
        "drop table green_tripdata",
        "create table mine (a int)",
        "create temporary table mine (a int)",
        "set role postgres",
        "set session authorization postgres",
        "begin; commit; delete from green_tripdata",
        "select 1; select 2",
        "select query_to_xml('delete from green_tripdata', true, true, '')",
        "select nextval('s')",
        "alter role current_user superuser",
        "select pg_reload_conf()",
    ],
)
def test_what_gets_past_the_parser_is_refused_by_the_server(statement: str, one: Reader, trips: str) -> None:
    with pytest.raises(StatementRefused, match="PostgreSQL refuses it"):
        rows_of(one, statement)
    assert rows_of(one, "select count(*) from green_tripdata").rows == [["2"]]
    with psycopg.connect(trips) as connection:
        assert connection.execute("select count(*) from green_tripdata").fetchone() == (2,)


def test_settings_that_a_statement_changes_give_it_no_more_rights(one: Reader) -> None:
    for name, value in [("transaction_read_only", "off"), ("default_transaction_read_only", "off")]:
        try:
            rows_of(one, f"select set_config('{name}', '{value}', false)")
        except StatementRefused:
            continue
    with pytest.raises(StatementRefused):
        rows_of(one, "delete from green_tripdata")


def test_of_many_rows_and_long_cells_only_the_beginning_is_taken(one: Reader) -> None:
    rows = rows_of(one, "select repeat('x', 1000) from pg_class as a, pg_class as b, pg_class as c")
    assert (len(rows.rows), rows.is_cut) == (ROWS, True)
    assert {len(cell or "") for row in rows.rows for cell in row} == {LONGEST_CELL}


def test_what_takes_too_long_is_ended(trips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 1)
    with reader(trips) as one, pytest.raises(StatementRefused, match="was ended"):
        rows_of(one, "select pg_sleep(60)")


def test_nobody_can_log_in_as_the_role_but_while_a_session_begins(one: Reader, trips: str) -> None:
    with psycopg.connect(trips) as connection:
        found = connection.execute("select rolcanlogin, rolpassword from pg_authid where rolname = %s", (one.role,))
        assert found.fetchall() == [(False, None)]


def test_many_may_ask_at_once_and_a_model_that_was_made_anew_is_seen_again(trips: str) -> None:
    def count() -> list[list[str | None]]:
        with reader(trips) as one:
            return [list(row) for row in rows_of(one, "select count(*) from dim_zones").rows]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: count(), range(6))) == [[["0"]]] * 6
    with psycopg.connect(trips) as connection:
        connection.execute("drop table analytics.dim_zones")
        connection.execute("create table analytics.dim_zones as select 'JFK' as zone")
    assert count() == [["1"]]


def test_a_login_that_may_make_no_roles_reads_in_a_read_only_transaction_and_says_so(trips: str) -> None:
    name = f"{urlsplit(trips).path[1:]}_owner"
    with psycopg.connect(trips, autocommit=True) as connection:
        connection.execute(f"create role {name} login password 'p' in role pg_read_all_data".encode())
        try:
            host = urlsplit(trips).netloc.rpartition("@")[2]
            with reader(urlsplit(trips)._replace(netloc=f"{name}:p@{host}").geturl()) as one:
                assert (one.role, "alter role" in one.remark) == (name, True)
                assert rows_of(one, "select count(*) from green_tripdata").rows == [["2"]]
                with pytest.raises(StatementRefused, match="read-only"):
                    rows_of(one, "delete from green_tripdata")
        finally:
            connection.execute(f"drop role {name}".encode())


def test_of_all_functions_that_the_server_has_none_is_let_through_that_does_anything(one: Reader) -> None:
    """By name: whether each overload of what is let through is free of effects, is the server's own word."""
    every = "select proname, bool_or(provolatile = 'v') from pg_proc where prokind <> 'p' group by 1"
    functions = one.connection.execute(every.encode()).fetchall()
    assert len(functions) > 2000
    assert [name for name, acts in functions if acts and _is_let_through(name)] == []


def _is_let_through(name: str) -> bool:
    for arguments in ("", "'a'", "'a', 'b'", "'a', 'b', 'c'"):
        try:
            checked(f"select {name}({arguments})", [])
        except StatementRefused:
            continue
        return True
    return False


def test_an_owner_without_a_superusers_rights_makes_the_role_too_as_in_compose(trips: str) -> None:
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
                    assert (one.role, one.remark) == (role_of(database), "")
                    assert rows_of(one, "select count(*) from green_tripdata").rows == [["2"]]
        finally:
            connection.execute(f"reassign owned by {name} to current_user".encode())
            connection.execute(f"drop owned by {role_of(database)}; drop role {role_of(database)}".encode())
            connection.execute(f"drop owned by {name}; drop role {name}".encode())

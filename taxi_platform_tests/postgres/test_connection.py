"""Connections that fail and errors of PostgreSQL: which error they become, and whether trying again can help."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest

from taxi_platform.errors import (
    LONGEST_MESSAGE,
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    InvalidSetting,
    StorageFull,
    TaxiError,
    UnsupportedServer,
)
from taxi_platform.postgres import connection as connections
from taxi_platform.postgres.connection import connect, execute, postgres_errors, server_of
from taxi_platform.postgres.errors import diagnose, translated
from taxi_platform.postgres.frames import replace_table
from taxi_platform.postgres.loader import load_month
from taxi_platform.retries import EMBEDDED_SERVER
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.databases import database_from
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.this_machine import free_ports, is_open
from taxi_platform_tests.support.trip_texts import rows, with_field


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


@pytest.fixture
def role(loads: Loads) -> Iterator[str]:
    """Create a user with a password and no rights, and yield its name."""
    name = "r" + urlsplit(loads.url).path.removeprefix("/test_")[:20]
    loads.ask(f"create role {name} login password 'right'")
    yield name
    loads.ask(f"drop owned by {name}; drop role {name}")


def url(loads: Loads, **parts: object) -> str:
    """Return the database's URL with another user, password, host, port or database."""
    known = urlsplit(loads.url)
    user, password = parts.get("user", known.username), parts.get("password", known.password)
    host, port = parts.get("host", known.hostname), parts.get("port", known.port or 5432)
    return f"postgresql://{user}:{password}@{host}:{port}/{parts.get('database', known.path.removeprefix('/'))}"


def refusal(address: str, error: type[Exception] = DatabaseUnreachable) -> str:
    """Return the message of a connection that fails; it never contains the password."""
    with pytest.raises(error) as caught:
        connect(address)
    message = str(caught.value)
    assert "right" not in message
    assert "wrong" not in message
    return message


# Connecting


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("application_name", "taxi_platform"),
        ("client_encoding", "UTF8"),
        ("datestyle", "ISO, MDY"),
        ("lock_timeout", "30s"),
        ("statement_timeout", "1h"),
        ("timezone", "UTC"),
        ("search_path", "pg_catalog, pg_temp"),
        ("extra_float_digits", "1"),
        ("standard_conforming_strings", "on"),
        ("transaction_isolation", "read committed"),
    ],
)
def test_every_session_has_its_settings(unusual_database: str, setting: str, value: str) -> None:
    with connect(unusual_database) as connection:
        assert execute(connection, f"show {setting}").fetchone() == (value,)


@pytest.fixture
def unusual_database(loads: Loads) -> str:
    """Give the database settings that differ from those the platform relies on, and return its URL."""
    others = {
        "search_path": "public, pg_temp",
        "extra_float_digits": "-10",
        "standard_conforming_strings": "off",
        "client_encoding": "LATIN1",
        "datestyle": "German, DMY",
        "timezone": "'Asia/Kathmandu'",
        "default_transaction_isolation": "'repeatable read'",
    }
    for name, value in others.items():
        loads.ask(f"alter database {urlsplit(loads.url).path[1:]} set {name} = {value}")
    return loads.url


def test_settings_of_the_database_change_neither_rows_nor_ids(loads: Loads, unusual_database: str) -> None:
    line = with_field(
        GREEN, with_field(GREEN, rows(GREEN, 1)[0], "fare_amount", "0.30000000000000004"), "vendorid", "é"
    )
    assert loads.load([line, "bad"], max_bad_rows=1).rows == 1
    query = "select unique_row_id, vendorid, fare_amount from public.green_tripdata"
    with connect(unusual_database) as connection:
        ((identity, vendor, fare),) = execute(connection, query).fetchall()
    (pickup, dropoff), (pickup_zone, dropoff_zone, distance) = (
        line.split(",")[1:3],
        (line.split(",")[i] for i in (5, 6, 8)),
    )
    spelled = f"é{pickup}{dropoff}{pickup_zone}{dropoff_zone}0.30000000000000004{float(distance):g}"
    assert (identity, vendor, fare) == (hashlib.md5(spelled.encode()).hexdigest(), "é", 0.30000000000000004)


def test_tables_and_functions_of_others_are_not_taken_for_ours(loads: Loads, unusual_database: str) -> None:
    theirs = "create table public.{0} (line bigint, text text); insert into public.{0} values (1, 'theirs')"
    loads.ask(f"{theirs.format('rejected')}; {theirs.format('incoming')}")
    loads.ask(
        "create function public.hashtextextended(text, int) returns bigint language plpgsql "
        "as $$ begin raise exception 'captured'; end $$"
    )
    loads.load([*rows(GREEN, 50), "bad"], max_bad_rows=1)
    replace_table(loads.url, "zones", pa.table({"id": [1]}), "", {})
    assert loads.ask("select text from green_tripdata_rejects") == [("bad",)]
    assert loads.ask("select id from zones") == [(1,)]
    for name in ("rejected", "incoming"):
        assert loads.ask(f"select * from {name}") == [(1, "theirs")]


def test_a_database_in_another_encoding_is_refused(loads: Loads, postgres_url: str) -> None:
    loads.publish(rows(GREEN, 3))
    with database_from(postgres_url, "template0 encoding 'LATIN1' locale 'C'") as latin1:
        with pytest.raises(UnsupportedServer, match=r"its encoding is LATIN1. .*encoding 'UTF8' template template0"):
            load_month(latin1, loads.fetch())
        with psycopg.connect(latin1) as connection:
            assert connection.execute("select count(*) from pg_class where relname ~ 'trip'").fetchone() == (0,)


@pytest.fixture
def pooler(loads: Loads) -> Iterator[str]:
    """Start a PgBouncer in transaction mode in front of the database, and yield its URL."""
    server, name, (port,) = urlsplit(loads.url), urlsplit(loads.url).path.removeprefix("/"), free_ports(1)
    target = f"host={server.hostname} port={server.port} user={server.username} password={server.password}"
    with tempfile.TemporaryDirectory(prefix="pgbouncer") as folder:
        configuration = Path(folder, "pgbouncer.ini")
        configuration.write_text(
            f"[databases]\n{name} = {target}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = transaction\nignore_startup_parameters = extra_float_digits,options\n"
        )
        Path(folder).chmod(0o755)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # PgBouncer refuses to run as root
        with subprocess.Popen(["pgbouncer", "-q", *user, configuration], stderr=subprocess.DEVNULL) as process:
            try:
                EMBEDDED_SERVER.wait_until(lambda: process.poll() is not None or is_open(port))
                yield url(loads, host="127.0.0.1", port=port)
            finally:
                process.terminate()


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="PgBouncer is not installed: apt-get install pgbouncer")
def test_a_connection_pooler_is_refused_with_advice(pooler: str) -> None:
    with pytest.raises(UnsupportedServer, match=r"a connection pooler .* Use the server's direct address"):
        connect(pooler)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"host": "no-such-host.invalid"}, "the host name is unknown (DNS)"),
        ({"user": "nobody_at_all", "password": "wrong"}, "authentication failed"),
        ({"database": "no_such_database"}, "there is no such database"),
    ],
    ids=["an unknown host", "an unknown user", "an unknown database"],
)
def test_a_wrong_part_of_the_address_is_named(loads: Loads, parts: dict[str, str], expected: str) -> None:
    message = refusal(url(loads, **parts))
    assert expected in message
    assert message.startswith("PostgreSQL at ")


def test_a_port_that_nobody_listens_on_is_named(loads: Loads) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        message = refusal(url(loads, host="127.0.0.1", port=port))
    assert message.startswith(f"PostgreSQL at 127.0.0.1:{port}, database 'test_")
    assert "nothing listens on the port" in message


def test_a_host_that_does_not_answer_is_given_up(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        message = refusal(url(loads, host="127.0.0.1", port=silent.getsockname()[1]))
    assert "the host does not answer (port)" in message


@pytest.mark.parametrize(
    ("change", "password", "expected"),
    [
        ("alter role {role} login", "wrong", "authentication failed ("),
        ("alter role {role} nologin", "right", "is not permitted to log in"),
        ('revoke connect on database "{database}" from public', "right", "permission denied for database"),
    ],
    ids=["a wrong password", "a user without login", "a database without access"],
)
def test_a_refused_user_is_distinguished_from_an_unknown_one(
    loads: Loads, role: str, change: str, password: str, expected: str
) -> None:
    loads.ask(change.format(role=role, database=urlsplit(loads.url).path[1:]))
    assert expected in refusal(url(loads, user=role, password=password))


def test_a_load_that_gets_only_one_of_its_connections_leaves_the_table_as_it_was(loads: Loads, role: str) -> None:
    loads.ask(f"alter role {role} connection limit 1; grant create on schema public to {role}")
    loads.publish(rows(GREEN, 50))
    with pytest.raises(DatabaseUnreachable, match=r"it has no connection left .* run fewer loads at once") as caught:
        load_month(url(loads, user=role, password="right"), loads.fetch())
    assert caught.value.transient
    assert loads.one("select count(*) from green_tripdata") == 0
    loads.ask(f"alter role {role} connection limit 2")
    assert load_month(url(loads, user=role, password="right"), loads.fetch()).rows == 50


def test_a_missing_privilege_is_a_refusal(loads: Loads, role: str) -> None:
    loads.load(rows(GREEN, 50))
    before = loads.state()
    loads.publish(rows(GREEN, 60))
    with pytest.raises(DatabaseRefused, match="permission denied"):
        load_month(url(loads, user=role, password="right"), loads.fetch())
    assert loads.state() == before


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "postgresql://h:port/db",
        "postgresql://[::1/db",
        "postgresql://u:right@h/db?colour=green",
        "postgresql://u:right@h:99999/db",
        "mysql://u:right@h/db",
        "host=h colour=green",
        "postgresql://%zz@h/db",
    ],
)
def test_an_address_that_cannot_be_parsed_is_an_invalid_setting(address: str) -> None:
    message = refusal(address, InvalidSetting)
    assert message.startswith("TAXI_POSTGRES_URL: it is not a PostgreSQL address (")
    assert message.endswith("Write postgresql://user:password@host:5432/database.")


def test_a_server_that_is_too_old_is_refused(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OLDEST_SERVER", 99)
    with pytest.raises(UnsupportedServer, match=r"it is PostgreSQL \d+, and 99 is the oldest that is supported"):
        connect(loads.url)


def test_a_server_that_goes_away_while_a_session_is_set_up_is_unreachable(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(connection: object, statement: str, parameters: object = None) -> object:
        raise psycopg.OperationalError("terminating connection due to administrator command")

    monkeypatch.setattr(connections, "execute", gone)
    with pytest.raises(DatabaseUnreachable, match="terminating connection"):
        connect(loads.url)


@pytest.mark.parametrize(
    ("message", "meaning", "transient"),
    [
        ("FATAL:  the database system is starting up", "it is starting or stopping", True),
        ("FATAL:  the database system is not yet accepting connections", "it is starting or stopping", True),
        ("FATAL:  the database system is in recovery mode", "it is starting or stopping", True),
        ("FATAL:  the database system is shutting down", "it is starting or stopping", True),
        ('connection to server at "db", port 5432 failed: Connection refused', "nothing listens on the port", True),
        ("could not translate host name to address", "the host name is unknown (DNS)", True),
        ("FATAL:  sorry, too many clients already", "it has no connection left", True),
        ('FATAL:  password authentication failed for user "ann"', "authentication failed", False),
        ('FATAL:  role "ann" does not exist', "authentication failed", False),
        ('FATAL:  database "trips" does not exist', "there is no such database", False),
        ("something new", "no connection", True),
    ],
)
def test_a_failed_connection_is_diagnosed(message: str, meaning: str, transient: bool) -> None:
    error = diagnose(server_of("postgresql://ann:pa55word@db:5432/trips"), message)
    assert error.what.startswith(f"{meaning} (")
    assert error.transient is transient
    assert "pa55word" not in str(error)


# Statements


class OperationalError(Exception):
    """An error as drivers of the DB-API raise it."""

    def __init__(self, message: str = "went wrong", **attributes: str) -> None:
        super().__init__(message)
        self.__dict__.update(attributes)


@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
@pytest.mark.parametrize(
    ("sqlstate", "expected", "transient"),
    [
        ("", DatabaseInterrupted, True),
        ("08006", DatabaseInterrupted, True),
        ("57P01", DatabaseInterrupted, True),
        ("57P04", DatabaseRefused, False),
        ("55P03", DatabaseInterrupted, True),
        ("57014", DatabaseInterrupted, True),
        ("25P04", DatabaseInterrupted, True),
        ("40P01", DatabaseInterrupted, True),
        ("40001", DatabaseInterrupted, True),
        ("53200", DatabaseInterrupted, True),
        ("53300", DatabaseUnreachable, True),
        ("53100", StorageFull, False),
        ("28P01", DatabaseUnreachable, False),
        ("3D000", DatabaseUnreachable, False),
        ("42501", DatabaseRefused, False),
        ("25006", DatabaseRefused, False),
        ("55000", DatabaseRefused, False),
        ("22P02", DatabaseRefused, False),
        ("XX000", DatabaseRefused, False),
    ],
)
def test_a_sqlstate_decides_what_an_error_is_and_whether_it_is_transient(
    sqlstate: str, attribute: str, expected: type[TaxiError], transient: bool
) -> None:
    error = translated("a month", OperationalError(**{attribute: sqlstate}))
    assert type(error) is expected
    assert error.transient is transient
    assert str(error).startswith("a month: PostgreSQL")
    assert "(went wrong)" in str(error)


def test_an_error_without_sqlstate_that_is_not_about_the_connection_is_a_refusal() -> None:
    assert type(translated("a month", psycopg.ProgrammingError("no such placeholder"))) is DatabaseRefused


def test_long_messages_are_cut() -> None:
    error = translated("a month", OperationalError("x" * 900_000))
    assert len(str(error)) < LONGEST_MESSAGE + 200


def test_a_table_without_replica_identity_is_not_an_outage(database: str) -> None:
    with connect(database) as connection:
        execute(connection, "create table public.t (a int)")
        execute(connection, "create publication p for all tables")
        with pytest.raises(DatabaseRefused, match="replica identity"), postgres_errors("t"):
            execute(connection, "delete from public.t")

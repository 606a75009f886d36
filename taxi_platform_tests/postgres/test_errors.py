"""What an error of PostgreSQL means, whichever driver reports it."""

import psycopg
import pytest

from taxi_platform.errors import (
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    StorageFull,
    TaxiError,
)
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.postgres.errors import LONGEST_MESSAGE, translated


class OperationalError(Exception):
    """An error as every driver of the DB-API has it."""

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
def test_a_sqlstate_decides_what_an_error_is_and_whether_it_may_pass(
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
        execute(connection, "create table t (a int)")
        execute(connection, "create publication p for all tables")
        with pytest.raises(DatabaseRefused, match="replica identity"), postgres_errors("t"):
            execute(connection, "delete from t")

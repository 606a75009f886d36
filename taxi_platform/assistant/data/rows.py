"""What a checked statement gives: a bounded number of rows, of cells of bounded length."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import cast

from taxi_platform.assistant.data.reader import STATEMENT_SECONDS, Reader
from taxi_platform.assistant.data.statement import StatementRefused
from taxi_platform.postgres.errors import postgres_errors

ROWS = 100  # more than anybody reads in an answer
LONGEST_CELL = 200  # characters


@dataclass(frozen=True)
class Rows:
    """The rows of a statement.

    Attributes:
        columns: their names.
        rows: the first hundred of them, as texts; None is NULL.
        is_cut: whether there are more.
        seconds: how long it took.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    is_cut: bool
    seconds: float


def rows_of(reader: Reader, statement: str) -> Rows:
    """Run one statement.

    Raises:
        StatementRefused: the server refuses it, as for a misspelled column, or ends it because it takes too much.
        DatabaseInterrupted: the server went away.
    """
    started = time.monotonic()
    with postgres_errors("the statement"), _refusals(), reader.connection.transaction(force_rollback=True):
        columns, found = _first(reader, statement)
    return Rows(columns, found[:ROWS], len(found) > ROWS, time.monotonic() - started)


def _first(reader: Reader, statement: str) -> tuple[Sequence[str], Sequence[Sequence[str | None]]]:
    """The names of the columns, and a row more than is wanted.

    Rows are streamed: by the protocol that lets through a single statement, and ended with the last that is wanted.
    """
    with reader.connection.cursor() as cursor:
        stream = cast("Generator[tuple[object, ...]]", cursor.stream(statement.encode()))
        with closing(stream):
            found = [_texts(row) for row in islice(stream, ROWS + 1)]
            return [column.name for column in cursor.description or ()], found


def _texts(row: Sequence[object]) -> list[str | None]:
    return [None if cell is None else str(cell)[:LONGEST_CELL] for cell in row]


@contextmanager
def _refusals() -> Generator[None]:
    """Tell what is wrong with the statement itself, so that whoever wrote it can do better."""
    from psycopg import DataError, InternalError, NotSupportedError, ProgrammingError, errors

    try:
        yield
    except errors.QueryCanceled:
        what = f"it took longer than {STATEMENT_SECONDS} s and was ended"
        raise StatementRefused("the statement", what, "Ask for fewer months.") from None
    except errors.ConfigurationLimitExceeded as error:
        raise StatementRefused("the statement", f"it takes too much ({error})", "Ask for fewer months.") from None
    except (ProgrammingError, DataError, InternalError, NotSupportedError) as error:
        said = error.diag.message_primary or str(error)
        hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
        raise StatementRefused("the statement", f"PostgreSQL refuses it ({said}{hint})") from None

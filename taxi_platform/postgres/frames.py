"""Small tables written from, and any table read as, pandas or Arrow. Trips are written by the loader, not here."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxi_platform.failures import DatabaseInterrupted, DatabaseRefused
from taxi_platform.postgres.connection import connect
from taxi_platform.postgres.tables import literal, qualified

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi


@dataclass(frozen=True)
class TableReference:
    """A table, or those of its months that an asset asks for, to be read where it lies.

    Attributes:
        table: its name with the schema.
        files: the names of the files whose rows are meant; empty for all rows.
    """

    table: str
    files: Sequence[str] = ()

    @property
    def query(self) -> str:
        """The SQL that reads exactly these rows; the filter prunes all other partitions."""
        condition = f" where filename in ({', '.join(map(literal, self.files))})" if self.files else ""
        return f"select * from {self.table}{condition}"  # noqa: S608 - names of contracts


def database_of(url: str) -> str:
    """The name of the database that a connection string leads to."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    return str(parts.get("dbname") or parts.get("user") or "postgres")


def as_arrow(data: "pd.DataFrame | pa.Table") -> "pa.Table":
    """A small table as Arrow, whichever way it came.

    Raises:
        TypeError: it is neither pandas nor Arrow.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pd.DataFrame):
        return pa.Table.from_pandas(data, preserve_index=False)
    if isinstance(data, pa.Table):  # pyright: ignore[reportUnnecessaryIsInstance] - assets are not type-checked
        return data
    raise TypeError(f"the postgres I/O manager stores TripFiles, pandas.DataFrame or pyarrow.Table, not {type(data)}")


def read_arrow(url: str, reference: TableReference) -> "pa.Table":
    """The referenced rows as an Arrow table, with the database's types.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with _session(url, reference.table) as connection, connection.cursor() as cursor:
        cursor.execute(reference.query)
        return cursor.fetch_arrow_table()


def read_pandas(url: str, reference: TableReference) -> "pd.DataFrame":
    """The referenced rows as a pandas DataFrame; integers with missing values stay integers.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    import pandas as pd
    import pyarrow as pa

    nullable: dict[Any, Any] = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    return read_arrow(url, reference).to_pandas(types_mapper=nullable.get)


def replace_table(url: str, table: str, data: "pa.Table", comment: str, columns: Mapping[str, str]) -> None:
    """Make a table exactly these rows, in one transaction: readers see the old rows or the new ones.

    A table that is there keeps its identity, so that views on it and privileges stay; one with other columns is
    refused by the server, and is then as it was.

    Args:
        url: the database.
        table: its name without the schema.
        data: its rows.
        comment: what the table is.
        columns: what each column is.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    statements = [
        f"select pg_advisory_xact_lock(hashtextextended({literal(qualified(table))}, 0))",
        f"create table if not exists {qualified(table)} (like incoming)",
        f"delete from {qualified(table)}",  # noqa: S608 - names of contracts
        f"insert into {qualified(table)} select * from incoming",  # noqa: S608
        "drop table incoming",
        f"comment on table {qualified(table)} is {literal(comment)}",
        *(f"comment on column {qualified(table)}.{name} is {literal(text)}" for name, text in columns.items()),
    ]
    with _session(url, table) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("incoming", data, mode="create", temporary=True)
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


@contextmanager
def _session(url: str, subject: str) -> "Generator[dbapi.Connection]":
    """A connection of the Arrow driver, whose errors are told in our words."""
    from adbc_driver_postgresql import dbapi

    connect(url).close()  # tells why there is no connection, where the driver would only quote
    try:
        with dbapi.connect(url) as connection:
            yield connection
    except dbapi.OperationalError as error:
        raise DatabaseInterrupted(subject, f"PostgreSQL went away ({error})", "Run again once it is back.") from error
    except dbapi.Error as error:
        raise DatabaseRefused(subject, f"PostgreSQL refused ({error})", "The table is as it was.") from error

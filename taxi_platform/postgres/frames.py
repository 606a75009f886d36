"""Small tables written from rows, pandas or Arrow, and any table read as pandas or Arrow.

Trips are written by the loader, not here. Only rows need no package of the extra ``frames``.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import DatabaseInterrupted, SchemaMismatch, shortened
from taxi_platform.postgres.connection import connect, postgres_errors, session_settings
from taxi_platform.postgres.errors import translated
from taxi_platform.postgres.tables import literal, qualified

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi


@dataclass(frozen=True)
class TableReference:
    """A table with its schema, to be read where it is: the rows of some files, or all rows if none are named."""

    table: str
    files: Sequence[str] = ()

    @property
    def query(self) -> str:
        """The SQL that reads exactly these rows; the filter prunes all other partitions."""
        condition = f" where filename in ({', '.join(map(literal, self.files))})" if self.files else ""
        return f"select * from {self.table}{condition}"


@dataclass(frozen=True)
class Rows:
    """A small table as plain rows, with PostgreSQL's type of each column by its name."""

    columns: Mapping[str, str]
    rows: Sequence[Sequence[object]]

    @property
    def num_rows(self) -> int:
        """The number of rows, by Arrow's name for it."""
        return len(self.rows)


def database_of(url: str) -> str:
    """Return the name of the database that a connection string leads to."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    return str(parts.get("dbname") or parts.get("user") or "postgres")


def as_small_table(data: "Rows | pd.DataFrame | pa.Table") -> "Rows | pa.Table":
    """Return a small table as rows or as Arrow; raise ``TypeError`` for anything but rows, pandas and Arrow."""
    if isinstance(data, Rows):
        return data
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pd.DataFrame):
        return pa.Table.from_pandas(data, preserve_index=False)
    if isinstance(data, pa.Table):  # pyright: ignore[reportUnnecessaryIsInstance] - assets are not type-checked
        return data
    kinds = "TripFiles, Rows, pandas.DataFrame or pyarrow.Table"
    raise TypeError(f"the postgres I/O manager stores {kinds}, not {type(data)}")


def read_arrow(url: str, reference: TableReference) -> "pa.Table":
    """Return the referenced rows as an Arrow table, with the database's types."""
    with _session(url, reference.table) as connection, connection.cursor() as cursor:
        cursor.execute(reference.query)
        return cursor.fetch_arrow_table()


def read_batches(url: str, reference: TableReference) -> "Iterator[pa.RecordBatch]":
    """Yield the referenced rows some megabytes at a time, so that memory does not depend on their number."""
    import pyarrow as pa

    with _session(url, reference.table) as connection, connection.cursor() as cursor:
        cursor.execute(reference.query)
        try:
            yield from cursor.fetch_record_batch()
        except (pa.ArrowException, OSError) as error:
            what = f"the connection broke while it was read ({shortened(str(error))})"
            raise DatabaseInterrupted(reference.table, what, "Try again.") from None


def read_pandas(url: str, reference: TableReference) -> "pd.DataFrame":
    """Return the referenced rows as a pandas DataFrame; integers with missing values stay integers."""
    import pandas as pd
    import pyarrow as pa

    nullable: dict[Any, Any] = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    return read_arrow(url, reference).to_pandas(types_mapper=nullable.get)


def replace_table(url: str, table: str, data: "Rows | pa.Table", comment: str, columns: Mapping[str, str]) -> None:
    """Make a table hold exactly these rows, in one transaction: readers see the old rows or the new ones.

    A table that exists keeps its identity, so that views on it and privileges stay; columns are matched by name. A
    table with other columns, or with types that do not fit, is refused and stays as it was. ``columns`` has the
    comments of the columns; ``table`` is named without its schema.

    Raises:
        SchemaMismatch: a table of that name has other columns.
    """
    if not isinstance(data, Rows):
        with _session(url, table) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("incoming", data, mode="create", temporary=True)
            _take_incoming(cursor, qualified(table), data.column_names, comment, columns)
            connection.commit()
        return
    definitions = ", ".join(f"{_quoted(name)} {kind}" for name, kind in data.columns.items())
    with connect(url) as connection, postgres_errors(table), connection.transaction(), connection.cursor() as cursor:
        cursor.execute(f"create temporary table incoming ({definitions})".encode())
        with cursor.copy("copy pg_temp.incoming from stdin") as copy:
            for row in data.rows:
                copy.write_row(row)
        _take_incoming(cursor, qualified(table), list(data.columns), comment, columns)


def _take_incoming(cursor: Any, place: str, names: Sequence[str], comment: str, columns: Mapping[str, str]) -> None:
    """Replace the rows of a table by those of the temporary table ``incoming``; either driver has such a cursor."""
    cursor.execute(f"select pg_advisory_xact_lock(hashtextextended({literal(place)}, 0))")
    cursor.execute(f"create table if not exists {place} (like pg_temp.incoming)")
    _check_columns(cursor, place, names)
    cursor.execute(f"select oid from pg_class where oid = {literal(place)}::regclass and {_LACKS_IDENTITY}")
    if cursor.fetchone():
        cursor.execute(f"alter table {place} replica identity full")
    listed = ", ".join(map(_quoted, names))
    for statement in (
        f"delete from {place}",
        f"insert into {place} ({listed}) select {listed} from pg_temp.incoming",
        "drop table pg_temp.incoming",
        f"comment on table {place} is {literal(comment)}",
        *(f"comment on column {place}.{_quoted(name)} is {literal(text)}" for name, text in columns.items()),
    ):
        cursor.execute(statement)


# PostgreSQL refuses to delete from a published table without a key (create publication … for all tables).
_LACKS_IDENTITY = (
    "relreplident = 'd' and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)"
)


def _check_columns(cursor: Any, place: str, expected: Sequence[str]) -> None:
    cursor.execute(f"select * from {place} limit 0")
    found = [column[0] for column in cursor.description]
    if set(found) != set(expected):
        raise SchemaMismatch(
            f"table {place}",
            f"its columns are {found}, not {list(expected)}",
            "Rename it, or drop it if nothing depends on it.",
        )


def _quoted(name: str) -> str:
    """Return a column's name as SQL, whatever it is made of."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _session(url: str, subject: str) -> "Generator[dbapi.Connection]":
    """Return a connection of the Arrow driver, whose errors become the platform's own."""
    from adbc_driver_postgresql import dbapi

    connect(url).close()  # its error says why the connection failed; the driver's does not
    try:
        with dbapi.connect(url) as connection:
            with connection.cursor() as cursor:
                cursor.execute(session_settings())
            yield connection
    except dbapi.Error as error:
        raise translated(subject, error) from error

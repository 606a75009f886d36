"""The database of the trips for a client that counts months and holds their locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


class TripsDatabase:
    """The trips' database at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; other statements return none."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def copies(self) -> bool:
        """Return whether a COPY into a table is running."""
        return self.ask("select * from pg_stat_progress_copy where datname = current_database()") != []

    def count(self, file: str) -> int:
        """Return the number of rows of a file, 0 if its table does not exist yet."""
        table = file[: file.index("_20")]
        if self.ask("select to_regclass(%s)", table) == [(None,)]:
            return 0
        return self.ask(f"select count(*) from {table} where filename = %s", file)[0][0]

    @contextmanager
    def held(self, month: str) -> Iterator[None]:
        """Hold the lock of a month of the green trips, so that a run that loads it waits."""
        name = f"public.green_tripdata_{month.replace('-', '_')}"
        with psycopg.connect(self.url) as connection:
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            yield

    def is_exact(self, month: str) -> bool:
        """Return whether all rows of the green month are there once, and nothing of another attempt is left."""
        file = f"green_tripdata_{month}.csv"
        recorded = self.ask("select rows_in_file from tripdata_files where filename = %s", file)
        leftovers = self.ask("select relname from pg_class where relname like '%\\_loading'")
        return recorded == [(self.count(file),)] != [(0,)] and leftovers == []

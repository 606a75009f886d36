"""A DuckDB file as a resource. What is kept in it is the business of whoever asks for a connection."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from taxi_platform.errors import DamagedFile, DatabaseRefused, DatabaseUnreachable, StorageFull, TaxiError, disk_errors

if TYPE_CHECKING:
    import duckdb

POOL = "duckdb"
"""The pool of every asset that writes: a DuckDB file has one writing process."""

_MAGIC = b"DUCK"
_MAGIC_AT = 8  # bytes from the beginning of the file


class DuckDBFile(dg.ConfigurableResource["DuckDBFile"]):
    """One database file, opened only for as long as something is read or written.

    dagster-duckdb opens it, and waits while another process has it. Its I/O manager is not used: it empties a table
    before it fills it, in two transactions, and cannot take other columns than the first time.
    """

    path: str = Field(description="The file, made when it is missing.")

    @contextmanager
    def connect(self) -> "Generator[duckdb.DuckDBPyConnection, None, None]":
        """A connection, closed at the end of the block.

        Raises:
            DatabaseUnreachable: another process has held the file for a minute and a half.
            DamagedFile: it is no DuckDB file.
            StorageFull: it cannot be written.
            DatabaseRefused: DuckDB refuses a statement of the block.
        """
        import duckdb  # loading the definitions shall not wait for it
        from dagster_duckdb import DuckDBResource

        path = Path(self.path)
        _check(path)
        try:
            with DuckDBResource(database=self.path).get_connection() as connection:
                try:
                    yield connection
                finally:
                    connection.close()
        except duckdb.Error as error:
            raise _in_our_words(path, str(error)) from error


def _check(path: Path) -> None:
    """Tell a file that is none at once; dagster-duckdb would try for as long as with one that is in use."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        with path.open("rb") as file:
            start = file.read(_MAGIC_AT + len(_MAGIC))
    if start[_MAGIC_AT:] != _MAGIC:
        raise DamagedFile(path.name, f"{path} is no DuckDB file", "Move it away; it is made anew.")


def _in_our_words(path: Path, said: str) -> TaxiError:
    words = " ".join(said.split())
    if "lock on file" in said:
        return DatabaseUnreachable(path.name, f"another process has the file open ({words})", "Close it there.")
    if "No space left" in said:
        return StorageFull(path.name, f"the disk is full ({words})", "Free some space, and run it again.")
    return DatabaseRefused(path.name, f"DuckDB refused ({words})", "What was there before is still there.")

"""What the tables of trips hold by their own account, for whoever wants to compare it with what others say."""

from dataclasses import dataclass

from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, in_our_words
from taxi_platform.trips.services import SERVICES


@dataclass(frozen=True)
class Holding:
    """One month that is in its table as it was loaded.

    Attributes:
        sha256: of its file, compressed as it was published.
        rows: its rows in the table.
        file_bytes: the size of the file.
        csv_bytes: its size uncompressed.
        rejected: rows of the file that are among the rejects instead.
        source: the address or path that the file came from.
    """

    sha256: str
    rows: int
    file_bytes: int
    csv_bytes: int = 0
    rejected: int = 0
    source: str = ""

    @property
    def rows_in_file(self) -> int:
        """All rows of the file, good or bad."""
        return self.rows + self.rejected


# A partition that somebody dropped, detached, truncated or rewrote has another filenode, or none.
_UNTOUCHED = f"""
select f.filename, f.table_name, f.contract, f.sha256, f.rows_loaded, f.file_bytes, f.csv_bytes,
    f.rows_rejected, f.source
from {tables.FILES} as f
join pg_class as c on c.oid = to_regclass(f.partition_name)
join pg_inherits as i on i.inhrelid = c.oid and i.inhparent = to_regclass(f.table_name)
where f.filenode = pg_relation_filenode(c.oid)"""  # noqa: S608 - the name is ours


def holdings(url: str) -> dict[str, Holding]:
    """Every month that is in its table untouched, and of the contract as it is now, by the name of its file.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    contracts = {tables.table_of(service): tables.fingerprint(service) for service in SERVICES.values()}
    with connect(url) as connection, in_our_words(tables.FILES):
        if execute(connection, "select to_regclass(%s)", (tables.FILES,)).fetchone() == (None,):
            return {}
        rows = execute(connection, _UNTOUCHED).fetchall()
    return {filename: Holding(*facts) for filename, table, contract, *facts in rows if contracts.get(table) == contract}

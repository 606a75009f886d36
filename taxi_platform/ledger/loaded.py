"""What the tables hold: the one reader of ``tripdata_files``, and the counts of rows in BigQuery."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.bigquery.statements import rows_by_month
from taxi_platform.bigquery.tables import Tables, table_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, connect, execute, exists, postgres_errors
from taxi_platform.postgres.locking import try_lock, unlock
from taxi_platform.postgres.older_months import check_older_months
from taxi_platform.postgres.preparing import months_changed_by_hand
from taxi_platform.trips.files import FileFacts, TripFile
from taxi_platform.trips.headers import has_waiting_columns
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

NOT_LOADED = "its table in PostgreSQL does not hold it"
BEING_LOADED = "its month is being loaded into PostgreSQL"

_READ = f"""
select f.filename, f.table_name, f.contract, f.source, f.rows_loaded, f.rows_rejected,
    {tables.UNTOUCHED}, to_jsonb(f) ->> 'refused', to_jsonb(f) ->> 'ignored', f.loaded_at,
    f.file_bytes, f.csv_bytes, f.sha256, f.rows_in_file
from {tables.FILES} as f where %(names)s::text[] is null or f.filename = any(%(names)s)"""  # noqa: S608 - our names


def read_loaded(connection: Connection, names: Collection[str] | None = None) -> dict[str, LoadRecord]:
    """Return the load records of these or all files by name, also of tables that were changed since."""
    if not exists(connection, tables.FILES):
        return {}
    services = {tables.table_of(service): service for service in SERVICES.values()}
    contracts = {table: tables.fingerprint(service) for table, service in services.items()}
    rows = execute(connection, _READ, {"names": None if names is None else list(names)}).fetchall()
    return {
        name: LoadRecord(
            source=source,
            facts=FileFacts(*facts),
            rows_loaded=rows_loaded,
            rows_rejected=rows_rejected,
            untouched=untouched,
            current=contracts.get(table) == contract and not any(map(services[table].has, (ignored or "").split(", "))),
            refused=refused or "",
            ignored=ignored or "",
            would_have_more=has_waiting_columns(services[table], ignored),
            loaded_at=at,
        )
        for name, table, contract, source, rows_loaded, rows_rejected, untouched, refused, ignored, at, *facts in rows
    }


def months_in_place(url: str, *, inspect: bool = False) -> dict[str, LoadRecord]:
    """Return every month that its table holds as it would be loaded today, by the name of its file.

    With ``inspect``, changes by hand are found, and the months that an older parser loaded are checked, once.
    """
    changed: set[str] = set()
    with connect(url) as connection, postgres_errors(tables.FILES):
        if inspect and exists(connection, tables.FILES):
            check_older_months(connection)
            changed = months_changed_by_hand(connection)
        records = read_loaded(connection)
    return {
        name: replace(record, changed_by_hand=name in changed) for name, record in records.items() if record.is_in_place
    }


def rows_in_bigquery(cloud: Cloud, service: Service) -> dict[Month, int]:
    """Return the rows of each month that the service's table in BigQuery holds. The query reads one column."""
    table = table_of(cloud, service)
    if Tables(cloud).find(table) is None:
        return {}
    counted = Jobs(cloud, f"table {table}", service.name).rows("count", rows_by_month(table))
    return {Month(day.year, day.month): rows for day, rows in (row.values() for row in counted)}


def months_of(service: Service, records: Mapping[str, LoadRecord]) -> dict[Month, LoadRecord]:
    """Return one service's months in order, from load records by file name."""
    files = ((parse_file_name(name), record) for name, record in records.items())
    months = {file[1]: record for file, record in files if file and file[0] is service}
    return dict(sorted(months.items()))


def why_not_loaded(url: str, file: TripFile) -> str | None:
    """Return why a table does not hold this very file, or None if it does.

    The month's lock is taken first: a month that is being loaded may be about to hold another file.
    """
    service = SERVICES[file.service]
    name, partition = service.file_name(file.month), tables.partition_of(service, file.month)
    with connect(url) as connection, postgres_errors(name):
        if not try_lock(connection, partition):
            return BEING_LOADED
        record = read_loaded(connection, [name]).get(name)
        unlock(connection, partition)
    return None if record and record.is_in_place and record.facts.sha256 == file.sha256 else NOT_LOADED

"""Reads what is known about months from the tables, from Dagster and from the source. No server is started for it."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.errors import DamagedFile, NotPublished, TaxiError
from taxi_platform.ledger.events import (
    failed_checks,
    latest_materialization,
    latest_materializations,
    read_attempts,
    waiting_months,
)
from taxi_platform.ledger.loaded import months_in_place, rows_in_bigquery
from taxi_platform.ledger.record import Attempt, LoadRecord, Materialized, MonthRecord, Waiting
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips.files import FileFacts, SourceVersion
from taxi_platform.trips.keys import Destination, Key, assets_of, destination_key, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import Service

QUERIES_AT_ONCE = 8  # services, or months at the source; each waits for a server over its own connection

Part = Literal["published", "loaded", "materialized", "attempts", "checks", "waiting"]
EVERY_PART: Collection[Part] = ("published", "loaded", "materialized", "attempts", "checks", "waiting")

LoadRecords = Mapping[str, LoadRecord]  # by file name
Published = Mapping[str, tuple[str, SourceVersion | None]]  # by month: where it is, and in which version


@dataclass(frozen=True)
class Ledger:
    """What is known about the months of some services."""

    # by service and month, in order: the partitions, and the other months that Dagster has records of
    months: Mapping[str, Mapping[Month, MonthRecord]]
    remarks: Sequence[str] = ()  # what could not be asked, as sentences for people

    def shown(self) -> dict[str, dict[Month, MonthRecord]]:
        """Return the partitions, and the months that were loaded before the settings left them out."""
        return {
            service: {month: record for month, record in records.items() if record.is_partition or record.table}
            for service, records in self.months.items()
        }


def read_months(
    instance: dg.DagsterInstance,
    services: Sequence[Service],
    parts: Collection[Part] = EVERY_PART,
    *,
    cloud: bool = False,
    destination: Destination = "postgres",
    warehouse: Cloud | None = None,
    url: str | None = None,
    ask_source: bool = False,
    inspect: bool = False,
) -> Ledger:
    """Return what is known about every month of some services.

    Args:
        instance: where Dagster's records are.
        services: whose months.
        parts: what to ask for; the other attributes of the records stay empty.
        cloud: whether Dagster's records of the assets in Google Cloud are read as well.
        destination: the database whose tables are meant; BigQuery's are not asked what they hold without ``warehouse``.
        warehouse: where BigQuery is asked, which costs a little.
        url: a PostgreSQL that must answer; if it is None, the database of the settings may be out of reach.
        ask_source: whether the source is asked about loaded months even when that takes the network.
        inspect: whether the tables are searched for changes by hand and for values that an older parser accepted.

    Raises:
        TaxiError: the database at ``url``, or the source or BigQuery that was to be asked, does not answer or refuses.
    """
    in_cloud = destination == "bigquery"

    def read(service: Service) -> dict[Month, MonthRecord]:
        key, assets = destination_key(service.table, destination), assets_of(service.table, cloud=cloud or in_cloud)
        recorded = _read_dagster(instance, key, assets, parts)
        in_table, loaded = in_postgres.result()[0], recorded.materialized.get(key, {})
        if warehouse:
            in_table = _counted(service, rows_in_bigquery(warehouse, service), loaded)
        published: Published = {}
        if "published" in parts:
            published = _published(service, list(loaded), ask_source=ask_source)
        return _month_records(service, destination, recorded, in_table, published)

    with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:
        in_postgres = pool.submit(_read_tables, url, wanted="loaded" in parts and not in_cloud, inspect=inspect)
        months = dict(zip([service.name for service in services], pool.map(read, services), strict=True))
    return Ledger(months, in_postgres.result()[1])


def read_raw_facts(instance: dg.DagsterInstance, cache: Cache, service: Service, month: Month) -> FileFacts | None:
    """Return what is known about a raw file: from the cached file, or from Dagster's record of a removed one."""
    file = cache.cached(service, month)
    recorded = None if file else latest_materialization(instance, raw_key(service.table), month)
    return file.facts if file else recorded and recorded.facts


@dataclass(frozen=True)
class _DagsterRecords:
    """What Dagster has recorded of a service's months, by partition."""

    materialized: Mapping[Key, Mapping[str, Materialized]]
    attempts: Mapping[Key, Mapping[str, Attempt]]
    failed_checks: Mapping[str, Sequence[str]]
    waiting: Mapping[str, Waiting]


def _read_dagster(
    instance: dg.DagsterInstance, key: Key, assets: Sequence[Key], parts: Collection[Part]
) -> _DagsterRecords:
    """Read Dagster's records of the assets of a service; ``key`` is that of its table."""
    return _DagsterRecords(
        {asset: latest_materializations(instance, asset) for asset in assets if "materialized" in parts},
        read_attempts(instance, assets) if "attempts" in parts else {},
        failed_checks(instance, key) if "checks" in parts else {},
        waiting_months(instance, key) if "waiting" in parts else {},
    )


def _month_records(
    service: Service,
    destination: Destination,
    recorded: _DagsterRecords,
    in_table: LoadRecords | None,
    published: Published,
) -> dict[Month, MonthRecord]:
    """Return the records of a service's partitions, and of the other months that Dagster knows, in order."""
    partitions = set(partition_months(service))
    by_asset = (*recorded.materialized.values(), *recorded.attempts.values())
    known = {Month.parse(name) for by_name in by_asset for name in by_name}
    records: dict[Month, MonthRecord] = {}
    for month in sorted(partitions | known):
        name = str(month)
        address, version = published.get(name, ("", None))
        records[month] = MonthRecord(
            service=service,
            month=month,
            destination=destination,
            is_partition=month in partitions,
            address=address,
            published=version,
            loaded=in_table.get(service.file_name(month)) if in_table else None,
            tables_known=in_table is not None,
            materialized={asset: months[name] for asset, months in recorded.materialized.items() if name in months},
            attempts={asset: months[name] for asset, months in recorded.attempts.items() if name in months},
            failed_checks=tuple(recorded.failed_checks.get(name, ())),
            waiting=recorded.waiting.get(name),
        )
    return records


def _counted(service: Service, counts: Mapping[Month, int], made: Mapping[str, Materialized]) -> LoadRecords:
    """Return load records, by file name, for months whose rows were counted in BigQuery."""
    records: dict[str, LoadRecord] = {}
    for month, rows in counts.items():
        table = made.get(str(month))
        records[service.file_name(month)] = LoadRecord(
            source=table.source if table else "",
            facts=table.facts if table and table.facts else FileFacts(0, 0, "", rows),
            rows_loaded=rows,
            rows_rejected=0,
            untouched=True,
            current=True,
            changed_by_hand=table is not None and table.rows_loaded != rows,
        )
    return records


def _read_tables(url: str | None, *, wanted: bool, inspect: bool) -> tuple[LoadRecords | None, list[str]]:
    """Return what the tables hold; None and the reason if they may be out of reach and are."""
    if not wanted:
        return None, []
    try:
        address = url or trips_server(settings()).address_if_running()
        if address is None:
            return None, ["The embedded PostgreSQL does not run, so this is what Dagster recorded."]
        return months_in_place(address, inspect=inspect), []
    except TaxiError as error:
        if url:
            raise
        return None, [f"The tables could not be read, so this is what Dagster recorded. {error}"]


def _published(service: Service, months: Sequence[str], *, ask_source: bool) -> Published:
    """Return where the source has some months and, if asking is free or wanted, in which versions."""
    if not months:
        return {}
    source = source_named(settings().source)
    ask = ask_source or source.asking_is_free

    def version(month: str) -> tuple[str, SourceVersion | None]:
        address = ""
        try:
            address = source.trips(service, Month.parse(month))
            return address, source.version(address) if ask else None
        except (NotPublished, DamagedFile):  # no longer, or in two editions; what was loaded stays
            return address, None

    with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:
        return dict(zip(months, pool.map(version, months), strict=True))

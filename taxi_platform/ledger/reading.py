"""Reads what is known about months from the tables, from Dagster and from the source, in few queries side by side.

No server is started for it, and a part that is not asked for costs nothing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

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
from taxi_platform.ledger.record import LoadRecord, Materialized, MonthRecord
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import Source, source_named
from taxi_platform.trips.files import FileFacts, SourceVersion
from taxi_platform.trips.keys import Destination, Key, assets_of, destination_key, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import Service

QUERIES_AT_ONCE = 8  # each waits for its database over its own connection, or for the source

Part = Literal["published", "loaded", "materialized", "attempts", "checks", "waiting"]
EVERY_PART: Collection[Part] = ("published", "loaded", "materialized", "attempts", "checks", "waiting")

Loaded = Mapping[str, LoadRecord]  # by file name
Published = Mapping[tuple[Service, Month], tuple[str, SourceVersion | None]]  # where a month is, and in which version


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
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: the database at ``url`` does not answer.
        SourceUnreachable, AccessDenied: the source was to be asked and does not answer.
        CloudNotReady, CloudRefused, CloudUnavailable: BigQuery was to be asked and does not answer.
    """
    in_cloud = destination == "bigquery"
    assets = {service.name: assets_of(service.table, cloud=cloud or in_cloud) for service in services}
    tables = {service: destination_key(service.table, destination) for service in services}
    with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:

        def ask(part: Part, question: Callable[..., dict[Any, Any]], *arguments: Any) -> Future[dict[Any, Any]]:
            return pool.submit(question, instance, *arguments) if part in parts else pool.submit(dict)

        loaded = pool.submit(_read_tables, url, wanted="loaded" in parts and not in_cloud, inspect=inspect)
        counts = {service: pool.submit(rows_in_bigquery, warehouse, service) for service in services if warehouse}
        waiting = ask("waiting", waiting_months, list(tables.values()))
        attempts = {name: ask("attempts", read_attempts, keys) for name, keys in assets.items()}
        checks = {key: ask("checks", failed_checks, key) for key in tables.values()}
        materialized = {
            key: ask("materialized", latest_materializations, key) for keys in assets.values() for key in keys
        }
    in_postgres, remarks = loaded.result()
    made = {key: answer.result() for key, answer in materialized.items()}
    in_tables = [(service, Month.parse(month)) for service, key in tables.items() for month in made[key]]
    published: Published = _published(in_tables, ask_source=ask_source) if "published" in parts else {}

    def months_of(service: Service, key: Key) -> Iterator[MonthRecord]:
        """Yield the records of a service's partitions, and of the other months that Dagster knows, in order."""
        partitions = set(partition_months(service))
        made_here, tried = {asset: made[asset] for asset in assets[service.name]}, attempts[service.name].result()
        recorded = {Month.parse(name) for by_name in (*made_here.values(), *tried.values()) for name in by_name}
        table = _counted(service, counts[service].result(), made[key]) if service in counts else in_postgres
        for month in sorted(partitions | recorded):
            name, (address, version) = str(month), published.get((service, month), ("", None))
            yield MonthRecord(
                service=service,
                month=month,
                destination=destination,
                is_partition=month in partitions,
                address=address,
                published=version,
                loaded=table.get(service.file_name(month)) if table else None,
                tables_known=table is not None,
                materialized={asset: months[name] for asset, months in made_here.items() if name in months},
                attempts={asset: months[name] for asset, months in tried.items() if name in months},
                failed_checks=tuple(checks[key].result().get(name, ())),
                waiting=waiting.result().get(key, {}).get(name),
            )

    months = {service.name: {each.month: each for each in months_of(service, key)} for service, key in tables.items()}
    return Ledger(months, remarks)


def read_raw_facts(instance: dg.DagsterInstance, cache: Cache, service: Service, month: Month) -> FileFacts | None:
    """Return what is known about a raw file: from the cached file, or from Dagster's record of a removed one."""
    file = cache.cached(service, month)
    recorded = None if file else latest_materialization(instance, raw_key(service.table), month)
    return file.verified if file else recorded and recorded.facts


def _counted(service: Service, counts: Mapping[Month, int], made: Mapping[str, Materialized]) -> Loaded:
    """Return what is known about the months that have so many rows in BigQuery, by the names of their files."""
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


def _read_tables(url: str | None, *, wanted: bool, inspect: bool) -> tuple[Loaded | None, list[str]]:
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
        return None, [f"The tables could not be asked, so this is what Dagster recorded. {error}"]


def _published(loaded: Sequence[tuple[Service, Month]], *, ask_source: bool) -> Published:
    """Return where the source has some months and, if asking is free or wanted, in which versions."""
    source = source_named(settings().source) if loaded else None
    if source is None:
        return {}
    ask = partial(_version, source, ask=ask_source or source.asking_is_free)
    with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:
        return dict(zip(loaded, pool.map(ask, *zip(*loaded, strict=True)), strict=True))


def _version(source: Source, service: Service, month: Month, *, ask: bool) -> tuple[str, SourceVersion | None]:
    address = ""
    try:
        address = source.trips(service, month)
        return address, source.version(address) if ask else None
    except (NotPublished, DamagedFile):  # no longer, or in two editions; what was loaded stays
        return address, None

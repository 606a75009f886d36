"""Reads what is known about months from the tables, from Dagster and from the source, in few queries side by side.

No server is started for it, and a part that is not asked for costs nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import dagster as dg

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.errors import DamagedFile, NotPublished, TaxiError
from taxi_platform.ledger.events import (
    failed_checks,
    latest_materializations,
    read_attempts,
    recorded_raw_file,
    waiting_months,
)
from taxi_platform.ledger.loaded import months_in_place, rows_in_bigquery
from taxi_platform.ledger.record import Attempt, LoadRecord, Materialized, MonthRecord
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import Source, source_named
from taxi_platform.trips.files import FileFacts, SourceVersion
from taxi_platform.trips.keys import Destination, Key, assets_of, destination_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import Service

QUERIES_AT_ONCE = 8  # each waits for its database over its own connection, or for the source

T = TypeVar("T")
Part = Literal["published", "loaded", "materialized", "attempts", "checks", "waiting"]
EVERY_PART: Collection[Part] = ("published", "loaded", "materialized", "attempts", "checks", "waiting")


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
    keys = {service.name: assets_of(service.table, cloud=cloud or in_cloud) for service in services}
    table_keys = {service: destination_key(service.table, destination) for service in services}
    with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:

        def ask(part: Part, question: Callable[..., dict[Any, Any]], *arguments: Any) -> Future[dict[Any, Any]]:
            return pool.submit(question, instance, *arguments) if part in parts else pool.submit(dict)

        tables = pool.submit(_read_tables, url, wanted="loaded" in parts and not in_cloud, inspect=inspect)
        counts = {service.name: pool.submit(rows_in_bigquery, warehouse, service) for service in services if warehouse}
        waiting = ask("waiting", waiting_months, list(table_keys.values()))
        attempts = {service.name: ask("attempts", read_attempts, keys[service.name]) for service in services}
        checks = {service: ask("checks", failed_checks, key) for service, key in table_keys.items()}
        materialized = {
            key: ask("materialized", latest_materializations, key) for service in services for key in keys[service.name]
        }
    in_postgres, remarks = tables.result()
    tables_made = {service: materialized[key].result() for service, key in table_keys.items()}
    in_tables = [(service, Month.parse(month)) for service, made in tables_made.items() for month in made]
    published = _published(in_tables, ask_source=ask_source) if "published" in parts else {}

    def records_of(service: Service) -> dict[Month, MonthRecord]:
        partitions = set(partition_months(service))
        made: Mapping[Key, Mapping[str, Materialized]] = {key: materialized[key].result() for key in keys[service.name]}
        tried: Mapping[Key, Mapping[str, Attempt]] = attempts[service.name].result()
        recorded = {Month.parse(name) for by_name in (*made.values(), *tried.values()) for name in by_name}
        loaded = in_postgres
        if service.name in counts:
            loaded = {
                service.file_name(month): _load_record(rows, tables_made[service].get(str(month)))
                for month, rows in counts[service.name].result().items()
            }
        unknown = ("", None)
        return {
            month: MonthRecord(
                service=service,
                month=month,
                destination=destination,
                is_partition=month in partitions,
                address=published.get((service, month), unknown)[0],
                published=published.get((service, month), unknown)[1],
                loaded=loaded.get(service.file_name(month)) if loaded else None,
                tables_known=loaded is not None,
                materialized=_at(month, made),
                attempts=_at(month, tried),
                failed_checks=tuple(checks[service].result().get(str(month), ())),
                waiting=waiting.result().get(table_keys[service], {}).get(str(month)),
            )
            for month in sorted(partitions | recorded)
        }

    return Ledger({service.name: records_of(service) for service in services}, remarks)


def read_raw_facts(instance: dg.DagsterInstance, cache: Cache, service: Service, month: Month) -> FileFacts | None:
    """Return what is known about a raw file: from the cached file, or from Dagster's record of a removed one."""
    file = cache.cached(service, month)
    if file:
        return file.verified
    recorded = recorded_raw_file(instance, service, month)
    return recorded.facts if recorded else None


def _at(month: Month, by_key: Mapping[Key, Mapping[str, T]]) -> dict[Key, T]:
    return {key: by_name[str(month)] for key, by_name in by_key.items() if str(month) in by_name}


def _load_record(rows: int, made: Materialized | None) -> LoadRecord:
    """Return what is known about a month that has so many rows in BigQuery."""
    return LoadRecord(
        source=made.source if made else "",
        facts=made.facts if made and made.facts else FileFacts(0, 0, "", rows),
        rows_loaded=rows,
        rows_rejected=0,
        untouched=True,
        current=True,
        changed_by_hand=made is not None and made.rows_loaded != rows,
    )


def _read_tables(url: str | None, *, wanted: bool, inspect: bool) -> tuple[Mapping[str, LoadRecord] | None, list[str]]:
    """Return what the tables hold; None and the reason if they may be out of reach and are."""
    if not wanted:
        return None, []
    if url:
        return months_in_place(url, inspect=inspect), []
    try:
        address = trips_server(settings()).address_if_running()
        if address is None:
            return None, ["The embedded PostgreSQL does not run, so this is what Dagster recorded."]
        return months_in_place(address, inspect=inspect), []
    except TaxiError as error:
        return None, [f"The tables could not be asked, so this is what Dagster recorded. {error}"]


def _published(
    loaded: Sequence[tuple[Service, Month]], *, ask_source: bool
) -> dict[tuple[Service, Month], tuple[str, SourceVersion | None]]:
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

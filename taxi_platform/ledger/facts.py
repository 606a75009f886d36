"""Gathers what is known of every month: from Dagster's record and queue, from the tables, and from the source."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import dagster as dg

from taxi_platform.errors import NotPublished, TaxiError
from taxi_platform.ledger import backfills as queue
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.ledger.records import Records, read_records
from taxi_platform.ledger.states import Facts, MonthState, Waiting, month_state
from taxi_platform.settings import settings
from taxi_platform.sources.source import Source
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import Service

QUESTIONS_AT_ONCE = 8  # to the source


@dataclass(frozen=True)
class Picture:
    """The months of some services as they are now.

    Attributes:
        states: by service and month, in order; the partitions, and what was loaded before the settings left it out.
        partitions: the months that may be loaded, by service.
        remarks: what could not be asked, in sentences.
    """

    states: Mapping[str, Mapping[Month, MonthState]]
    partitions: Mapping[str, Sequence[Month]]
    remarks: Sequence[str] = ()


def take_picture(instance: dg.DagsterInstance, services: Sequence[Service], *, ask_source: bool = False) -> Picture:
    """Find out the state of every month.

    Args:
        instance: where Dagster recorded what it did.
        services: whose months.
        ask_source: ask it for the version of every month that is loaded, also when that takes the network.

    Raises:
        SourceUnreachable, AccessDenied: the source was to be asked, and does not answer.
    """
    assets = [dg.AssetKey(service.table) for service in services]
    with ThreadPoolExecutor(max_workers=2) as pool:
        in_tables = pool.submit(_in_tables)
        waiting = pool.submit(queue.waiting, instance, assets)
        records = read_records(instance, services)
    held, remarks = in_tables.result()
    partitions = {service.name: partition_months(service) for service in services}
    versions = _versions(services, records, ask=ask_source)
    states = {
        service.name: {
            month: month_state(
                service.name,
                month,
                _facts(service, month, records[service.name], waiting.result()[asset], held, versions),
            )
            for month in sorted({*partitions[service.name], *_recorded(records[service.name])})
        }
        for service, asset in zip(services, assets, strict=True)
    }
    return Picture(states, partitions, remarks)


def _facts(
    service: Service,
    month: Month,
    records: Records,
    waiting: Mapping[str, Waiting],
    held: Mapping[str, LoadRecord] | None,
    versions: Mapping[tuple[str, Month], SourceVersion],
) -> Facts:
    key = str(month)
    return Facts(
        table=records.table.get(key),
        raw=records.raw.get(key),
        attempt=records.attempts.get(key),
        broken=records.broken.get(key, ()),
        waiting=waiting.get(key),
        held=held.get(service.file_name(month)) if held is not None else None,
        asked=held is not None,
        source=versions.get((service.name, month)),
    )


def _recorded(records: Records) -> Iterable[Month]:
    return map(Month.parse, records.table)


def _in_tables() -> tuple[Mapping[str, LoadRecord] | None, list[str]]:
    """What the tables hold; None and why when they cannot be asked. No server is started for it."""
    from taxi_platform.postgres.embedded.server import EmbeddedServer

    own = settings().postgres_url
    try:
        if own:
            return months_in_place(own.get_secret_value()), []
        server = EmbeddedServer(settings().data_dir / "postgres")
        if server.is_running():
            return months_in_place(server.url()), []
        return None, ["The embedded PostgreSQL does not run, so this is what Dagster recorded."]
    except TaxiError as error:
        return None, [f"The tables could not be asked, so this is what Dagster recorded. {error}"]


def _versions(
    services: Sequence[Service], records: Mapping[str, Records], *, ask: bool
) -> dict[tuple[str, Month], SourceVersion]:
    """What the source has now of the months that are loaded; asked where that costs nothing, or when it is wanted."""
    from taxi_platform.sources.choose import source_named

    loaded = [(service, month) for service in services for month in _recorded(records[service.name])]
    source = source_named(settings().source) if loaded else None
    if source is None or not (ask or source.asking_is_free):
        return {}
    with ThreadPoolExecutor(max_workers=QUESTIONS_AT_ONCE) as pool:
        answers = pool.map(partial(_version, source), *zip(*loaded, strict=True))
    return {(service.name, month): answer for (service, month), answer in zip(loaded, answers, strict=True) if answer}


def _version(source: Source, service: Service, month: Month) -> SourceVersion | None:
    try:
        return source.version(source.trips(service, month))
    except NotPublished:  # not any more; what was loaded stays
        return None

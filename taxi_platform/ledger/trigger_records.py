"""What Dagster's instance has on record of the months: which file each was made from, and which are being loaded."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger import backfills as queue
from taxi_platform.ledger.materializations import latest_materializations
from taxi_platform.operations.new_months.new_months import Held
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import assets_of, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def held_files(instance: dg.DagsterInstance, services: Iterable[Service]) -> dict[str, Held]:
    """The raw files that are on record, by file name, in two queries a service."""
    return {name: held for service in services for name, held in _held_files(instance, service).items()}


def busy_files(instance: dg.DagsterInstance, services: Iterable[Service]) -> set[str]:
    """The names of the files that a run, also a queued one, or a backfill is to load and has not loaded yet."""
    all_services = list(services)
    planned = [(service, *attempt) for service in all_services for attempt in _attempts(instance, service)]
    waiting = _waiting_for_a_backfill(instance, all_services)
    if not planned:
        return waiting
    runs = instance.get_runs(dg.RunsFilter(run_ids=sorted({run_id for _, _, run_id in planned})))
    unfinished = {run.run_id for run in runs if not run.is_finished}
    return waiting | {service.file_name(month) for service, month, run_id in planned if run_id in unfinished}


def _waiting_for_a_backfill(instance: dg.DagsterInstance, services: Sequence[Service]) -> set[str]:
    """The files of months that a backfill has yet to deal with, whether it has runs by now or not."""
    tables = {dg.AssetKey(service.table): service for service in services}
    waiting = queue.waiting(instance, list(tables))
    return {tables[key].file_name(Month.parse(month)) for key, months in waiting.items() for month in months}


def _held_files(instance: dg.DagsterInstance, service: Service) -> dict[str, Held]:
    return {
        service.file_name(Month.parse(str(made.partition))): _held(
            record.storage_id, {name: value.value for name, value in made.metadata.items()}
        )
        for made, record in latest_materializations(instance, dg.AssetKey(raw_key(service.table)))
    }


def _held(record: int, facts: dict[str, Any]) -> Held:
    version = SourceVersion(facts.get("etag"), facts.get("modified"), facts.get("file_bytes"))
    return Held(record, facts.get("source", ""), version, landed=bool(facts.get("landed")))


def _attempts(instance: dg.DagsterInstance, service: Service) -> Iterable[tuple[Month, str]]:
    """The runs that were to make a month's file or table and have not, whatever became of them."""
    for key in map(dg.AssetKey, assets_of(service.table, cloud=False)):
        for partition, run_id in dagster_private.unmaterialized_attempts(instance, key).items():
            yield Month.parse(partition), run_id

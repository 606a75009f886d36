"""Finds out whether a service is kept up: what its table holds, and what Dagster has on record as failed."""

from collections.abc import Iterator
from datetime import datetime, timezone

import dagster as dg

from taxi_platform.checks.results import Verdict
from taxi_platform.checks.upkeep import due, last_month_verdict, none_failed_verdict
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.ledger.records import attempts_on
from taxi_platform.settings import settings
from taxi_platform.trips.keys import assets_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import Service


def upkeep_verdicts(instance: dg.DagsterInstance, url: str, service: Service) -> Iterator[Verdict]:
    """The verdicts about a service as a whole, as of now.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    first, last = month_range(settings(), service)
    wanted = due(first, last, datetime.now(timezone.utc), settings().schedule_timezone, service.overdue_days)
    held = months_in_place(url)
    yield last_month_verdict(
        service, wanted, [month for month in first.through(last) if service.file_name(month) in held]
    )
    yield none_failed_verdict(service.name, _failed(instance, service))


def _failed(instance: dg.DagsterInstance, service: Service) -> dict[str, list[Month]]:
    """The months whose last run failed, by the asset that they were to be loaded into."""
    keys = [dg.AssetKey(path) for path in assets_of(service.table, cloud=True)]
    return {
        key.to_user_string(): [Month.parse(month) for month, attempt in months.items() if attempt.outcome == "failed"]
        for key, months in attempts_on(instance, keys).items()
    }

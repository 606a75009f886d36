"""The checks of the tables in PostgreSQL, and the jobs that check loaded months again."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from taxi_platform.checks.facts import read_facts
from taxi_platform.checks.months import BLOCKING, blocking_results, warning_checks, warning_results
from taxi_platform.checks.results import CheckResult
from taxi_platform.checks.services import service_checks, service_results
from taxi_platform.errors import InvalidRequest
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.ledger.reading import read_raw_facts
from taxi_platform.orchestration.check_results import Event, record_months, record_service, selected, specs_of
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.trip_io import PostgresResource, RawFilesResource
from taxi_platform.settings import settings
from taxi_platform.trips.keys import checks_job
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

UPKEEP_JOB = "upkeep_checks_job"


class CheckConfig(dg.Config):
    """Which months are checked in a run that loads none."""

    months: list[str] = Field(
        [],
        description="Months (2019-03) instead of the run's own; a run without months checks all that are loaded.",
    )


def table_checks(service: Service) -> dg.AssetChecksDefinition:
    """Return all checks of a service's table: those of each month, and those of the service as a whole."""
    table = dg.AssetKey(service.table)
    of_months = specs_of(table, [*BLOCKING, *warning_checks(service)], monthly_partitions(service))
    of_service = specs_of(table, service_checks(service))

    @dg.multi_asset_check(
        name=f"{service.table}_checks",
        specs=[*of_months, *of_service],
        description="Checks whether each month equals its file and looks like other months, by one scan of its table.",
        can_subset=True,
        pool="postgres",
    )
    def checks(
        context: dg.AssetCheckExecutionContext,
        config: CheckConfig,
        database: PostgresResource,
        raw_files: RawFilesResource,
    ) -> Iterator[Event]:
        with errors_as_failures():
            url = database.address()
            if selected(context, of_service):
                yield from record_service(context, table, lambda: service_results(context.instance, url, service))
            if selected(context, of_months):
                cache = raw_files.cache()

                def check(month: Month) -> Iterator[CheckResult]:
                    facts = read_facts(url, service, month, read_raw_facts(context.instance, cache, service, month))
                    yield from blocking_results(service, facts)
                    yield from warning_results(service, facts)

                yield from record_months(context, table, _months(context, config, url, service), check)

    return checks


def _months(context: dg.AssetCheckExecutionContext, config: CheckConfig, url: str, service: Service) -> list[Month]:
    """Return the months of the run, or all loaded months if the run has none."""
    partitions = monthly_partitions(service).get_partition_keys()
    if config.months:
        unknown = sorted(set(config.months) - set(partitions))
        if unknown:
            raise InvalidRequest(unknown[0], "it is not a partition", f"Choose {partitions[0]} to {partitions[-1]}.")
        return [Month.parse(key) for key in config.months]
    if context.has_partition_key or context.has_partition_key_range:
        return [Month.parse(key) for key in context.partition_keys]
    loaded = months_in_place(url)
    return [month for month in map(Month.parse, partitions) if service.file_name(month) in loaded]


def checking_job(service: Service):
    """Define the job that checks months of a service's table again, e.g. ``green_tripdata_checks_job``."""
    return dg.define_asset_job(
        checks_job(service.table),
        selection=dg.AssetSelection.checks_for_assets(service.table),
        description=f"Checks months of {service.title} trips as they are in the table; without months, all of them.",
        tags={"taxi": service.name},
    )


def upkeep_job():
    """Define the job of the checks that are about a whole service, for every service."""
    keys = [
        dg.AssetCheckKey(dg.AssetKey(service.table), check.name)
        for service in SERVICES.values()
        for check in service_checks(service)
    ]
    return dg.define_asset_job(
        UPKEEP_JOB,
        selection=dg.AssetSelection.checks(*keys),
        description="Checks whether the last month was loaded in time, and whether any month was left failed.",
    )


@dg.definitions
def checks() -> dg.Definitions:
    """Return the checks and jobs of every service, and a daily schedule, which finds months that nobody loads."""
    upkeep = upkeep_job()
    daily = dg.ScheduleDefinition(
        name="upkeep_checks_schedule",
        job=upkeep,
        cron_schedule="30 12 * * *",
        execution_timezone=settings().schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every day, after the hours at which the monthly schedules load.",
    )
    services = SERVICES.values()
    return dg.Definitions(
        asset_checks=[table_checks(service) for service in services],
        jobs=[*(checking_job(service) for service in services), upkeep],
        schedules=[daily],
    )

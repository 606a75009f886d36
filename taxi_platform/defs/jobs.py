"""One job and one monthly schedule per service, and the sensors that start loads: all of them run these jobs."""

import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from typing import Any

import dagster as dg

from taxi_platform.errors import TaxiError
from taxi_platform.ledger.reading import read_months
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.ledger.run_tags import run_labels
from taxi_platform.operations.landing import tick as landing_tick
from taxi_platform.operations.landing.places import DroppedFile, LandingPlace
from taxi_platform.operations.new_months import ask, due_month, evaluate, outside, reason_to_skip, waiting_month
from taxi_platform.orchestration.resources import LandingResource
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.settings import settings
from taxi_platform.trips.keys import assets_of, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range, partition_months
from taxi_platform.trips.services import SERVICES, Service

DUE_MONTH_SENSOR = "due_month_sensor"
NEW_MONTH_SENSOR = "new_month_sensor"
LANDING_SENSOR = "landing_sensor"


def loading_job(service: Service):
    """Return the job that loads months of a service, e.g. ``green_tripdata_job``; the same object to every caller."""
    return _job(service, cloud=settings().has_cloud)


def loading_run(service: Service, month: Month, **request: Any) -> dg.RunRequest:
    """Return a request for a run of that job for one month."""
    # Otherwise automation conditions would not see that the run loads the tables, and would load them again.
    keys = [dg.AssetKey(path) for path in assets_of(service.table, cloud=settings().has_cloud)]
    return dg.RunRequest(job_name=loading_job(service).name, partition_key=str(month), asset_selection=keys, **request)


@cache
def _job(service: Service, *, cloud: bool):
    return dg.define_asset_job(
        f"{service.table}_job",
        selection=dg.AssetSelection.assets(*map(dg.AssetKey, assets_of(service.table, cloud=cloud))),
        description=f"{service.title} trips: fetches the file from the source, then loads every table.",
        tags={"taxi": service.name, "dagster-k8s/config": _resources(service)},
    )


def _resources(service: Service) -> dict[str, Any]:
    """Return what a run asks of Kubernetes; elsewhere nobody reads it."""
    memory = service.run_memory_mib
    resources = {"requests": {"cpu": "500m", "memory": f"{memory}Mi"}, "limits": {"memory": f"{2 * memory}Mi"}}
    return {"container_config": {"resources": resources}}


def schedule_name(service: Service) -> str:
    """Return the name of a service's schedule, e.g. ``green_monthly_schedule``."""
    return f"{service.name}_monthly_schedule"


def monthly_schedule(service: Service) -> dg.ScheduleDefinition:
    """Return the schedule of a service, which is on like the course's triggers."""
    name = schedule_name(service)
    timezone = settings().schedule_timezone

    @dg.schedule(
        name=name,
        job=loading_job(service),
        cron_schedule=f"0 {service.schedule_hour} 1 * *",
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Loads the month of {service.title} trips whose publication is due.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, raw_files: RawFilesResource) -> dg.RunRequest | dg.SkipReason:
        month = due_month(service, context.scheduled_execution_time, timezone)
        reason = reason_to_skip(service, month, month_range(settings(), service), raw_files.source_with_short_timeouts)
        if reason:
            return dg.SkipReason(reason)
        return loading_run(service, month, tags=run_labels(service, month, trigger=f"schedule:{name}"))

    return schedule


def loading_sensor(
    name: str, seconds: int, description: str, *, on: bool = True
) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """Return the decorator of a sensor that requests runs of the loading jobs; ``seconds`` are between its ticks."""
    return dg.sensor(
        name=name,
        jobs=[loading_job(service) for service in SERVICES.values()],
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        description=description,
    )


def due_month_sensor() -> dg.SensorDefinition:
    """Return the sensor that asks once a day for at most one month of each service.

    Its cursor is the time of its first tick; months that were due before are left alone, as are those of a service
    whose schedule somebody has stopped.
    """

    @loading_sensor(
        DUE_MONTH_SENSOR,
        24 * 3600,
        "Asks every day for the months that were due and that their schedules did not load.",
    )
    def sensor(context: dg.SensorEvaluationContext, raw_files: RawFilesResource) -> dg.SensorResult:
        now, zone = datetime.now(timezone.utc), settings().schedule_timezone
        since = datetime.fromisoformat(context.cursor) if context.cursor else now
        ledger = read_months(context.instance, list(SERVICES.values()), ("materialized", "attempts", "waiting"))
        waiting = [waiting_month(records.values(), since, now, zone) for records in ledger.months.values()]
        stopped = _stopped_schedules(context.instance)
        wanted = [record for record in waiting if record and schedule_name(record.service) not in stopped]
        answers = ask(raw_files.source_with_short_timeouts(), wanted)
        runs = [_run(each.record, each.run_key, DUE_MONTH_SENSOR) for each in answers if each.error is None]
        summary = " ".join(str(each.error) for each in answers if each.error) or "No month is pending."
        return dg.SensorResult(run_requests=runs, skip_reason=None if runs else summary, cursor=since.isoformat())

    return sensor


def _stopped_schedules(instance: dg.DagsterInstance) -> set[str]:
    return {state.instigator_name for state in instance.all_instigator_state() if state.status.value == "STOPPED"}


def new_month_sensor() -> dg.SensorDefinition:
    """Return the sensor that loads all months, ten per tick.

    It is off at first, because starting a web server should not load many gigabytes of missing months. Once everything
    is loaded, a tick is a few small requests.
    """

    @loading_sensor(
        NEW_MONTH_SENSOR,
        600,
        "Loads every month that is new at the source, or has another file there than the loaded one.",
        on=False,
    )
    def sensor(context: dg.SensorEvaluationContext, raw_files: RawFilesResource) -> dg.SensorResult:
        ledger = read_months(context.instance, list(SERVICES.values()), ("materialized", "attempts", "waiting"))
        records = [record for months in ledger.months.values() for record in months.values()]
        tick = evaluate(raw_files.source_with_short_timeouts(), records, context.cursor, time.time())
        context.log.info(tick.summary)
        return dg.SensorResult(
            run_requests=[_run(record, run_key, NEW_MONTH_SENSOR) for run_key, record in tick.requests.items()],
            skip_reason=None if tick.requests else tick.summary,
            cursor=tick.cursor.dump(),
        )

    return sensor


def _run(record: MonthRecord, run_key: str, sensor: str) -> dg.RunRequest:
    labels = run_labels(record.service, record.month, trigger=f"sensor:{sensor}")
    return loading_run(record.service, record.month, run_key=run_key, tags=labels)


def landing_sensor() -> dg.SensorDefinition:
    """Return the sensor of dropped files, which is on: a tick on an empty folder costs nothing."""

    @loading_sensor(
        LANDING_SENSOR,
        30,
        "Loads trip files that are dropped into the landing place, and moves them to done or failed.",
    )
    def sensor(context: dg.SensorEvaluationContext, landing: LandingResource) -> dg.SensorResult | dg.SkipReason:
        try:
            place = landing.place()
            tick = landing_tick.evaluate(place, context.instance, _refusal, context.cursor)
        except TaxiError as error:
            return dg.SkipReason(str(error))
        context.log.info(tick.summary)
        runs = [_landing_run(place, *request) for request in tick.requests]
        return dg.SensorResult(run_requests=runs, skip_reason=None if runs else tick.summary, cursor=tick.cursor)

    return sensor


def _refusal(service: Service, month: Month) -> str | None:
    """Return why a month cannot be loaded, or None if it can."""
    problem = outside(service, month, month_range(settings(), service))
    return problem or (None if month in partition_months(service) else f"{month} has not ended yet.")


def _landing_run(place: LandingPlace, file: DroppedFile, service: Service, month: Month) -> dg.RunRequest:
    run_key = landing_tick.run_key(place, file)
    config = {"landed": file.name, "landed_version": file.version}
    return loading_run(
        service,
        month,
        run_key=run_key,
        run_config={"ops": {dg.AssetKey(raw_key(service.table)).to_python_identifier(): {"config": config}}},
        tags={**run_labels(service, month, trigger=f"sensor:{LANDING_SENSOR}"), landing_tick.TAG: run_key},
    )


@dg.definitions
def jobs() -> dg.Definitions:
    """Return the job and the schedule of every service, e.g. ``green_monthly_schedule``, and the sensors."""
    services = SERVICES.values()
    return dg.Definitions(
        jobs=[loading_job(service) for service in services],
        schedules=[monthly_schedule(service) for service in services],
        sensors=[due_month_sensor(), new_month_sensor(), landing_sensor()],
    )

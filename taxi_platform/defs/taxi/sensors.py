"""The sensor that keeps the tables in step with the source."""

import time

import dagster as dg

from taxi_platform.defs.taxi.assets import monthly_partitions
from taxi_platform.defs.taxi.jobs import loading_job
from taxi_platform.labels import by_sensor, run_labels
from taxi_platform.months import Month
from taxi_platform.raw.io_manager import RawFilesResource
from taxi_platform.services import SERVICES, Service
from taxi_platform.triggers.decision import Request
from taxi_platform.triggers.watching import look

NEW_MONTH_SENSOR = "new_month_sensor"
SECONDS_BETWEEN_LOOKS = 600


def new_month_sensor() -> dg.SensorDefinition:
    """The sensor that looks for months that are new at the source, or are another file there than the one loaded.

    It is off at first, unlike the schedules: switched on, it loads *every* month of the partitions that the source has
    and the platform has not, ten a look. That is 93 months and some ten gigabytes of files, which nobody should get for
    having started a web server. Once all is loaded, a look is a dozen small questions.
    """

    @dg.sensor(
        name=NEW_MONTH_SENSOR,
        jobs=[loading_job(service) for service in SERVICES.values()],
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Loads every month that the source has and the platform has not, or has as another file.",
    )
    def sensor(context: dg.SensorEvaluationContext, raw_files: RawFilesResource) -> dg.SensorResult:
        partitions = {service: _months(service) for service in SERVICES.values()}
        source = raw_files.hurried_source()
        found = look(source, context.instance, partitions, context.cursor, time.time(), context.log.warning)
        context.log.info(found.words)
        return dg.SensorResult(
            run_requests=[_run(request) for request in found.requests],
            skip_reason=None if found.requests else found.words,
            cursor=found.cursor,
        )

    return sensor


def _months(service: Service) -> list[Month]:
    return [Month.parse(key) for key in monthly_partitions(service).get_partition_keys()]


def _run(request: Request) -> dg.RunRequest:
    service, month = request.candidate.service, request.candidate.month
    return dg.RunRequest(
        run_key=request.run_key,
        job_name=loading_job(service).name,
        partition_key=str(month),
        tags=run_labels(service, month, trigger=by_sensor(NEW_MONTH_SENSOR)),
    )


@dg.definitions
def sensors() -> dg.Definitions:
    """The sensors of the trips."""
    return dg.Definitions(sensors=[new_month_sensor()])

"""The sensor that reports failed runs to people."""

import time
from functools import partial

import dagster as dg

from taxi_platform.settings import Settings, secrets, settings

INTERVAL_SECONDS = 30


def failure_alert(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor for these settings: running where they name an address, else stopped."""
    urls = settings.alert_urls
    status = dg.DefaultSensorStatus.RUNNING if urls else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="run_failure_alert",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=status,
        description="Tells the addresses of TAXI_ALERT_URLS about every failed run that is not retried.",
    )
    def run_failure_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if urls is None:
            return dg.SensorResult(skip_reason="TAXI_ALERT_URLS is not set, so nobody is told", cursor=context.cursor)
        from taxi_platform.operations.alerts import addresses_of, describe, tick

        done = tick(
            context.instance,
            addresses_of(urls.get_secret_value()),
            partial(describe, web_url=settings.web_url, secrets=list(secrets())),
            context.cursor,
            started=context.last_sensor_start_time,
            now=time.time(),
        )
        for problem in done.problems:
            context.log.warning(problem)
        return dg.SensorResult(skip_reason=done.story, cursor=done.cursor.model_dump_json())

    return run_failure_alert


@dg.definitions
def alerts() -> dg.Definitions:
    """Return the sensor."""
    return dg.Definitions(sensors=[failure_alert(settings())])

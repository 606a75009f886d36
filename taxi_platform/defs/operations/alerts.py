"""The sensor that tells people about failed runs."""

import time
from functools import partial

import dagster as dg

from taxi_platform.operations.alerts.addresses import addresses_of
from taxi_platform.settings import Settings, secrets, settings

INTERVAL_SECONDS = 30


def failure_alert(settings: Settings) -> dg.SensorDefinition:
    """The sensor for these settings: running where they name an address, else stopped.

    It is no run status sensor: those pass over a failure whether or not its message was delivered, and know nothing of
    a retry that is coming.
    """
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
        from taxi_platform.operations.alerts.delivery import deliver
        from taxi_platform.operations.alerts.tick import Office, tick
        from taxi_platform.redaction import redact

        office = Office(
            addresses=addresses_of(urls.get_secret_value()),
            web_url=settings.web_url,
            redacted=partial(redact, secrets=list(secrets())),
            deliver=deliver,
        )
        done = tick(context.instance, office, context.cursor, context.last_sensor_start_time, time.time())
        for problem in done.problems:
            context.log.warning(problem)
        return dg.SensorResult(skip_reason=done.story, cursor=done.cursor)

    return run_failure_alert


@dg.definitions
def alerts() -> dg.Definitions:
    """The alert about failed runs."""
    return dg.Definitions(sensors=[failure_alert(settings())])

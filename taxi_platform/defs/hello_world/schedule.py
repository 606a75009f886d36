"""The greeting of every morning."""

import dagster as dg

from taxi_platform.defs.hello_world.job import hello_world
from taxi_platform.settings import settings


@dg.definitions
def schedules() -> dg.Definitions:
    """Ten o'clock in the time zone of the settings; off until somebody switches it on, as in the course."""
    schedule = dg.ScheduleDefinition(
        name="hello_world_schedule",
        job=hello_world,
        cron_schedule="0 10 * * *",
        execution_timezone=settings().schedule_timezone,
        run_config={"name": "Sarah"},
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Greets Sarah at ten o'clock every day, once it is switched on.",
    )
    return dg.Definitions(schedules=[schedule])

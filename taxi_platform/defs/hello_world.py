"""The course's first flow: the job ``hello_world``, its steps, its concurrency limit and its schedule."""

import time
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.resources import without_configuration
from taxi_platform.orchestration.resources import RunLimit, RunLimitResource
from taxi_platform.settings import settings

WELCOME = "Hello, {name}!"
LONGEST_NAP = 3600.0
AT_ONCE = 2
WHEN_FULL = "hello_world/when_full"
"""The tag that says what becomes of a run that would be one too many: ``fail`` or ``queue``."""


class LogLevel(Enum):
    """The levels of a line in a run's log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class StepConfig(dg.Config):
    """What the steps need to know; all of them get the same."""

    level: LogLevel
    name: str = Field(min_length=1, max_length=200)
    seconds: float = Field(ge=0, le=LONGEST_NAP)

    def log(self, context: dg.OpExecutionContext, line: str) -> None:
        """Log a line at this level."""
        context.log.log(self.level.value, line)


@dg.op
def hello_message(context: dg.OpExecutionContext, config: StepConfig, limit: RunLimitResource) -> None:
    """Log the welcome, rendered with the name."""
    limit.admit(context)
    config.log(context, WELCOME.format(name=config.name))


@dg.op(ins={"after": dg.In(dg.Nothing)})
def generate_output(context: dg.OpExecutionContext, limit: RunLimitResource) -> str:
    """Return a value for a later step."""
    limit.admit(context)
    return "I was generated during this workflow."


@dg.op(ins={"after": dg.In(dg.Nothing)})
def sleep(context: dg.OpExecutionContext, config: StepConfig, limit: RunLimitResource) -> None:
    """Take time, so that there is something to see of runs at once."""
    limit.admit(context)
    time.sleep(config.seconds)


@dg.op(ins={"after": dg.In(dg.Nothing)})
def log_output(context: dg.OpExecutionContext, config: StepConfig, limit: RunLimitResource, value: str) -> None:
    """Log the value that an earlier step has returned."""
    limit.admit(context)
    config.log(context, f"This is an output: {value}")


@dg.op(ins={"after": dg.In(dg.Nothing)})
def goodbye_message(context: dg.OpExecutionContext, config: StepConfig, limit: RunLimitResource) -> None:
    """Log the goodbye."""
    limit.admit(context)
    config.log(context, f"Goodbye, {config.name}!")


class HelloWorldConfig(dg.Config):
    """The configuration of ``hello_world``, at the top level of the run's configuration."""

    name: str = Field("Will", description="Who is greeted.")
    sleep_seconds: float = Field(15.0, description="How long the run sleeps, up to an hour.")
    log_level: LogLevel = Field(
        LogLevel.ERROR, description="The level of every line that a step logs; as in the course, they stand out."
    )


@dg.config_mapping
def for_the_steps(config: HelloWorldConfig) -> dict[str, Any]:
    """Return the configuration of the steps."""
    values = {"level": config.log_level.name, "name": config.name, "seconds": config.sleep_seconds}
    return {"ops": {step: {"config": values} for step in ("hello_message", "sleep", "log_output", "goodbye_message")}}


@dg.job(
    config=for_the_steps,
    executor_def=dg.in_process_executor,  # one process a run
    resource_defs={"limit": without_configuration(RunLimit(at_once=AT_ONCE, tag=WHEN_FULL))},
    tags={WHEN_FULL: "fail"},
)
def hello_world() -> None:
    """Greets somebody by name. At most two runs at once: a third fails, or waits with the tag when_full=queue."""
    greeted = hello_message()
    value = generate_output(after=greeted)
    goodbye_message(after=log_output(value=value, after=sleep(after=value)))


@dg.definitions
def hello() -> dg.Definitions:
    """Return the job, and its schedule at ten o'clock, which is off until somebody turns it on, as in the course."""
    schedule = dg.ScheduleDefinition(
        name="hello_world_schedule",
        job=hello_world,
        cron_schedule="0 10 * * *",
        execution_timezone=settings().schedule_timezone,
        run_config={"name": "Sarah"},
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Greets Sarah at ten o'clock every day, once it is switched on.",
    )
    return dg.Definitions(jobs=[hello_world], schedules=[schedule])

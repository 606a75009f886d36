"""The job ``hello_world``: its configuration, its steps in order, and its limit."""

from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.hello_world.ops import (
    LogLevel,
    generate_output,
    goodbye_message,
    hello_message,
    log_output,
    sleep,
)
from taxi_platform.orchestration.run_limit_resource import RunLimit

AT_ONCE = 2
WHEN_FULL = "hello_world/when_full"
"""The tag that says what becomes of a run that would be one too many: ``fail`` or ``queue``."""


class HelloWorldConfig(dg.Config):
    """What can be said to ``hello_world``, all of it at the top level of the run's configuration."""

    name: str = Field("Will", description="Who is greeted.")
    sleep_seconds: float = Field(15.0, description="How long the run sleeps, up to an hour.")
    log_level: LogLevel = Field(
        LogLevel.ERROR, description="The level of every line that a step logs; as in the course, they stand out."
    )


@dg.config_mapping
def for_the_steps(config: HelloWorldConfig) -> dict[str, Any]:
    """The configuration of each step: the level is said once, and holds for all that log."""
    line = {"level": config.log_level.name}
    steps = {
        "hello_message": {**line, "name": config.name},
        "sleep": {"seconds": config.sleep_seconds},
        "log_output": line,
        "goodbye_message": {**line, "name": config.name},
    }
    return {"ops": {step: {"config": values} for step, values in steps.items()}}


@dg.job(
    config=for_the_steps,
    executor_def=dg.in_process_executor,  # one process a run
    resource_defs={"limit": RunLimit(at_once=AT_ONCE, tag=WHEN_FULL)},
    tags={WHEN_FULL: "fail"},
)
def hello_world() -> None:
    """Greets somebody by name. At most two runs at once: a third fails, or waits with the tag when_full=queue."""
    greeted = hello_message()
    value = generate_output(after=greeted)
    goodbye_message(after=log_output(value=value, after=sleep(after=value)))

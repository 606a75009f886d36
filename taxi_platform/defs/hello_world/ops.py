"""The steps of ``hello_world``, one for each task of the course's flow."""

import time
from enum import Enum

import dagster as dg
from pydantic import Field

from taxi_platform.orchestration.run_limit_resource import RunLimit

WELCOME = "Hello, {name}!"
LONGEST_NAP = 3600.0


class LogLevel(Enum):
    """The levels of a line in a run's log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LineConfig(dg.Config):
    """How a step logs its line."""

    level: LogLevel = LogLevel.ERROR

    def log(self, context: dg.OpExecutionContext, line: str) -> None:
        """Log the line at this step's level."""
        context.log.log(self.level.value, line)


class NameConfig(LineConfig):
    """How a step logs a line to somebody."""

    name: str = Field(min_length=1, max_length=200)


class NapConfig(dg.Config):
    """How long to sleep."""

    seconds: float = Field(ge=0, le=LONGEST_NAP)


@dg.op
def hello_message(context: dg.OpExecutionContext, config: NameConfig, limit: RunLimit) -> None:
    """Log the welcome, rendered with the name."""
    limit.admit(context)
    config.log(context, WELCOME.format(name=config.name))


@dg.op(ins={"after": dg.In(dg.Nothing)})
def generate_output(context: dg.OpExecutionContext, limit: RunLimit) -> str:
    """Return a value for a later step."""
    limit.admit(context)
    return "I was generated during this workflow."


@dg.op(ins={"after": dg.In(dg.Nothing)})
def sleep(context: dg.OpExecutionContext, config: NapConfig, limit: RunLimit) -> None:
    """Take time, so that there is something to see of runs at once."""
    limit.admit(context)
    time.sleep(config.seconds)


@dg.op(ins={"after": dg.In(dg.Nothing)})
def log_output(context: dg.OpExecutionContext, config: LineConfig, limit: RunLimit, value: str) -> None:
    """Log the value that an earlier step has returned."""
    limit.admit(context)
    config.log(context, f"This is an output: {value}")


@dg.op(ins={"after": dg.In(dg.Nothing)})
def goodbye_message(context: dg.OpExecutionContext, config: NameConfig, limit: RunLimit) -> None:
    """Log the goodbye."""
    limit.admit(context)
    config.log(context, f"Goodbye, {config.name}!")

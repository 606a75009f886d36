"""The course's small flows: the job ``hello_world``, the pulls of an image, and products by brand."""

import time
from enum import Enum
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.course.previews import averages_metadata, kept_metadata, products_metadata
from taxi_platform.course.prices import AVERAGES, COLUMNS, KEPT, averages, store_averages, store_kept
from taxi_platform.course.products import keep
from taxi_platform.defs.trips import OWNERS
from taxi_platform.orchestration import run_limit
from taxi_platform.orchestration.links import COURSE, DOCKER_HUB, PRODUCTS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.resources import DUCKDB_POOL, DockerHubResource, DuckDBResource, ProductFileResource
from taxi_platform.settings import settings

WELCOME = "Hello, {name}!"
LONGEST_NAP = 3600.0
AT_ONCE = 2
WHEN_FULL = "hello_world/when_full"
"""The tag that says what happens to a run beyond the limit: ``fail`` or ``queue``."""
admit = partial(run_limit.admit, at_once=AT_ONCE, tag=WHEN_FULL)
PRODUCT_LINKS = links("from-kestra.md", source=PRODUCTS, course=COURSE)


# Hello, world


class LogLevel(Enum):
    """The levels of a line in a run's log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class StepConfig(dg.Config):
    """The configuration of the steps; all of them get the same."""

    level: LogLevel
    name: str = Field(min_length=1, max_length=200)
    seconds: float = Field(ge=0, le=LONGEST_NAP)

    def log(self, context: dg.OpExecutionContext, line: str) -> None:
        """Log a line at this level."""
        context.log.log(self.level.value, line)


@dg.op
def hello_message(context: dg.OpExecutionContext, config: StepConfig) -> None:
    """Log the welcome, rendered with the name."""
    admit(context.instance, context.run)
    config.log(context, WELCOME.format(name=config.name))


@dg.op(ins={"after": dg.In(dg.Nothing)})
def generate_output(context: dg.OpExecutionContext) -> str:
    """Return a value for a later step."""
    admit(context.instance, context.run)
    return "I was generated during this workflow."


@dg.op(ins={"after": dg.In(dg.Nothing)})
def sleep(context: dg.OpExecutionContext, config: StepConfig) -> None:
    """Sleep, so that runs can be seen to run at the same time."""
    admit(context.instance, context.run)
    time.sleep(config.seconds)


@dg.op(ins={"after": dg.In(dg.Nothing)})
def log_output(context: dg.OpExecutionContext, config: StepConfig, value: str) -> None:
    """Log the value that an earlier step has returned."""
    admit(context.instance, context.run)
    config.log(context, f"This is an output: {value}")


@dg.op(ins={"after": dg.In(dg.Nothing)})
def goodbye_message(context: dg.OpExecutionContext, config: StepConfig) -> None:
    """Log the goodbye."""
    admit(context.instance, context.run)
    config.log(context, f"Goodbye, {config.name}!")


class HelloWorldConfig(dg.Config):
    """The configuration of ``hello_world``, at the top level of the run's configuration."""

    name: str = Field("Will", description="Who is greeted.")
    sleep_seconds: float = Field(15.0, description="How long the run sleeps, up to an hour.")
    log_level: LogLevel = Field(
        LogLevel.ERROR, description="Level of every line that a step logs; ERROR stands out, as in the course."
    )


@dg.config_mapping
def for_the_steps(config: HelloWorldConfig) -> dict[str, Any]:
    """Return the configuration of the steps."""
    values = {"level": config.log_level.name, "name": config.name, "seconds": config.sleep_seconds}
    return {"ops": {step: {"config": values} for step in ("hello_message", "sleep", "log_output", "goodbye_message")}}


@dg.job(
    config=for_the_steps,
    executor_def=dg.in_process_executor,  # one process a run
    tags={WHEN_FULL: "fail"},
)
def hello_world() -> None:
    """Greet somebody by name. Only two runs at once: a third fails, or waits if hello_world/when_full=queue."""
    greeted = hello_message()
    value = generate_output(after=greeted)
    goodbye_message(after=log_output(value=value, after=sleep(after=value)))


# Pulls of an image: the UI plots the numbers of the materializations over time


class PullsConfig(dg.Config):
    """Which image is counted, and where."""

    image: str = Field("kestra/kestra", description="owner/name, or the name of an official image such as python.")
    isolated: bool = Field(False, description="Ask in its own process, as the course does in a container.")


@dg.asset(
    group_name="docker_hub",
    kinds={"python"},
    owners=OWNERS,
    metadata=links("from-kestra.md", source=DOCKER_HUB, course=COURSE),
)
def docker_image_pulls(
    context: dg.AssetExecutionContext, config: PullsConfig, docker_hub: DockerHubResource
) -> dg.MaterializeResult[Any]:
    """Count how often an image was pulled from Docker Hub until now, and how long it took to ask."""
    return docker_hub.isolated_pulls(context, config.image) if config.isolated else docker_hub.pulls(config.image)


# Products by brand


class ColumnsConfig(dg.Config):
    """Which columns are kept of each product."""

    columns_to_keep: list[str] = Field(
        ["brand", "price"], description="Names of columns; N/A where a product has none."
    )


@dg.asset(group_name="getting_started", kinds={"json"}, owners=OWNERS, metadata=PRODUCT_LINKS)
def products(product_file: ProductFileResource) -> dg.MaterializeResult[Any]:
    """Fetch all products of the web API, as they come: every page of the list, or none of it."""
    with errors_as_failures():
        fetched = product_file.fetch()
    return dg.MaterializeResult(metadata=products_metadata(fetched, product_file.source, product_file.path))


@dg.asset(
    name=KEPT,
    deps=[products],
    group_name="getting_started",
    kinds={"pandas", "duckdb", "table"},
    owners=OWNERS,
    pool=DUCKDB_POOL,
    metadata={**PRODUCT_LINKS, "dagster/relation_identifier": f"products.main.{KEPT}"},
)
def products_kept(
    config: ColumnsConfig, product_file: ProductFileResource, duckdb_file: DuckDBResource
) -> dg.MaterializeResult[Any]:
    """Keep some columns of each product; N/A where a product has none."""
    with errors_as_failures(), duckdb_file.connect() as connection:
        kept = keep(product_file.stored(), config.columns_to_keep)
        store_kept(connection, kept)
    return dg.MaterializeResult(metadata=kept_metadata(kept))


@dg.asset(
    name=AVERAGES,
    deps=[products_kept],
    group_name="getting_started",
    kinds={"duckdb", "table"},
    owners=OWNERS,
    pool=DUCKDB_POOL,
    metadata={
        **PRODUCT_LINKS,
        "dagster/relation_identifier": f"products.main.{AVERAGES}",
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(name, kind, description=text) for name, (kind, text) in COLUMNS.items()]
        ),
    },
)
def average_price_by_brand(duckdb_file: DuckDBResource) -> dg.MaterializeResult[Any]:
    """Compute the average price of each brand, the highest first.

    A product without a price (N/A) counts among the brand's products, and not in its average.
    """
    with errors_as_failures(), duckdb_file.connect() as connection:
        store_averages(connection)
        stored = averages(connection)
    return dg.MaterializeResult(metadata=averages_metadata(stored))


@dg.definitions
def course() -> dg.Definitions:
    """Return the assets, the job, and its schedule, which is off until somebody turns it on, as in the course."""
    schedule = dg.ScheduleDefinition(
        name="hello_world_schedule",
        job=hello_world,
        cron_schedule="0 10 * * *",
        execution_timezone=settings().schedule_timezone,
        run_config={"name": "Sarah"},
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Greets Sarah at ten o'clock every day, once it is switched on.",
    )
    assets = [docker_image_pulls, products, products_kept, average_price_by_brand]
    return dg.Definitions(assets=assets, jobs=[hello_world], schedules=[schedule])

"""The assets of the trips: the verified files, the PostgreSQL table and the exports of each service, and the zones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import dagster as dg
from pydantic import Field

from taxi_platform.bigquery.lake import LakeFiles
from taxi_platform.ledger.event_metadata import file_schema, trips_schema, zones_schema
from taxi_platform.ledger.run_tags import lacking_labels
from taxi_platform.operations.landing.places import DroppedFileSource
from taxi_platform.orchestration.links import RELEASES, TRIP_RECORDS, links, trip_links
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.resources import LandingResource
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.postgres import tables
from taxi_platform.postgres.frames import Rows
from taxi_platform.settings import settings
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips import zones
from taxi_platform.trips.keys import Key, export_key, raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

GROUP = "trips"
OWNERS = ["team:data-engineering"]

Files = TypeVar("Files", TripFiles, LakeFiles)


class FetchConfig(dg.Config):
    """How a raw file is fetched."""

    force: bool = Field(
        False, description="Fetch the file again, even if the cached one is current or came from the landing place."
    )
    landed: str = Field("", description="Name of a file in the landing place to use instead of the source's.")
    landed_version: str = Field("", description="Version of that file; set by the landing sensor.")


class LoadConfig(dg.Config):
    """How months are loaded."""

    force: bool = Field(False, description="Load months again that are loaded already.")
    refresh: list[str] = Field([], description="Months (2019-03) to check for a new file at the source.")
    newest_first: bool = Field(False, description="Load the last month of a range first.")

    def applied_to(self, files: Files) -> Files:
        """Return the files with this configuration applied, in the order of their loads."""
        return replace(
            files,
            months=sorted(files.months, reverse=self.newest_first),
            refresh=frozenset(map(Month.parse, self.refresh)),
            force_load=self.force,
        )


def follows_its_files() -> dg.AutomationCondition[Any]:
    """Return the condition that loads a month of a table when its file was fetched without it.

    Schedules, sensors and backfills load file and tables in one run. This is for files that come alone: somebody
    materialized ``raw/green_tripdata``, or the load of one table fetched a file that another table lacks.

    - *a dependency was updated, in a run that did not target the asset too*: a run that loads both is not followed by
      another one, even if its load failed. Files that were there before the first evaluation do not count as updates,
      so switching this on starts nothing.
    - *since the asset was last requested or updated*: an update is remembered while the next clauses hold it back, and
      starts one run. If that run fails, run retries and people take care of it.
    - *no dependency is in progress*: a range of files is followed by one run when all of it is there.
    - *the asset itself is not in progress*: the running load may have begun with the old file.
    """
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("follows_its_files")


def monthly_asset(
    service: Service, key: Key, page: str, schema: dg.TableSchema, **more: Any
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """Return the decorator of an asset with one partition per month; a page of the documentation is about it."""
    make = cast("Any", dg.asset)  # whose overloads name every argument
    return make(
        key=dg.AssetKey(key),
        partitions_def=monthly_partitions(service),
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=OWNERS,
        tags={"taxi": service.name},
        metadata={**trip_links(service, page), "dagster/column_schema": schema, **more.pop("metadata", {})},
        **more,
    )


def raw_trips(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's verified files."""

    @monthly_asset(
        service,
        raw_key(service.table),
        "loading.md",
        file_schema(service),
        description=f"{service.title} trips as published: one verified file per month. {service.description}",
        io_manager_key="trip_files",
        group_name=GROUP,
        kinds={"csv"},
    )
    def raw(
        context: dg.AssetExecutionContext, config: FetchConfig, raw_files: RawFilesResource, landing: LandingResource
    ) -> TripFiles:
        label_run(context, service)
        if config.landed:
            file = DroppedFileSource(landing.place(), config.landed, config.landed_version)
            return raw_files.landed(service, context.partition_keys, file)
        return raw_files.months(service, context.partition_keys, "force" if config.force else "refresh")

    return raw


def trips_table(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's PostgreSQL table."""

    @monthly_asset(
        service,
        table_key(service.table),
        "quality.md",
        trips_schema(service),
        ins={"files": dg.AssetIn(dg.AssetKey(raw_key(service.table)), input_manager_key="trip_files")},
        description=f"{service.description} One row per trip; a row belongs to its file's month.",
        automation_condition=follows_its_files(),
        io_manager_key="postgres",
        pool="postgres",
        group_name=GROUP,
        kinds={"postgres", "table"},
        metadata={"dagster/relation_identifier": f"ny_taxi.{tables.table_of(service)}"},
    )
    def table(context: dg.AssetExecutionContext, config: LoadConfig, files: TripFiles) -> TripFiles:
        label_run(context, service)
        return config.applied_to(files)

    return table


def exported_trips(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's exports; where ``TAXI_EXPORTS`` is set, they follow every load."""

    @monthly_asset(
        service,
        export_key(service.name),
        "exports.md",
        trips_schema(service),
        deps=[dg.AssetKey(table_key(service.table))],
        description=f"{service.title} trips as loaded: one typed Parquet file per month, for DuckDB, pandas or Spark.",
        automation_condition=follows_its_files() if settings().exports else None,
        io_manager_key="exports",
        pool="postgres",
        group_name="exports",
        kinds={"parquet"},
    )
    def exported(context: dg.AssetExecutionContext) -> list[Month]:
        label_run(context, service)
        return [Month.parse(key) for key in context.partition_keys]

    return exported


def label_run(context: dg.AssetExecutionContext, service: Service) -> None:
    """Tag the run of this asset with the service and months that it loads, unless its tags already say so.

    Runs from the web UI and from Dagster's commands have no labels. Each asset of a run adds those that are missing.
    """
    run = context.instance.get_run_by_id(context.run.run_id)  # ``context.run`` has the tags from the start of the run
    lacking = run and lacking_labels(run.tags, service, [Month.parse(key) for key in context.partition_keys])
    if lacking:
        context.instance.add_run_tags(context.run.run_id, lacking)


@dg.asset(
    description="The TLC's 265 taxi zones: number, borough, name and who serves it.",
    io_manager_key="postgres",
    pool="postgres",
    group_name="zones",
    kinds={"postgres", "table"},
    owners=OWNERS,
    metadata={
        **links("loading.md", source=RELEASES, published_by=TRIP_RECORDS),
        "dagster/column_schema": zones_schema(),
        "dagster/relation_identifier": f"ny_taxi.{tables.qualified(zones.TABLE)}",
    },
)
def taxi_zone_lookup(raw_files: RawFilesResource):
    """Return the TLC's taxi zones as the source has them now."""
    types = {name: kind for name, (kind, _) in zones.COLUMNS.items()}
    return Rows(types, zones.read_zones(raw_files.cache().zones()))


@dg.definitions
def trips() -> dg.Definitions:
    """Return the assets of every service, the zones, and the sensor that evaluates the assets' conditions.

    Dagster's own is off at first. Ours can be on: only a file that somebody has just fetched makes a condition true.
    """
    follow = dg.AutomationConditionSensorDefinition(
        "follow_upstream_sensor",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Loads tables whose files were fetched without them, by the conditions of the assets.",
    )
    kinds = (raw_trips, trips_table, exported_trips)
    assets = [make(service) for service in SERVICES.values() for make in kinds]
    return dg.Definitions(assets=[*assets, taxi_zone_lookup], sensors=[follow])

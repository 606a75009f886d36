"""A job a service, for what works with jobs and not with assets: ``dagster job backfill``, schedules, sensors."""

from functools import cache

import dagster as dg

from taxi_platform.services import SERVICES, Service
from taxi_platform.settings import settings
from taxi_platform.triggers.coverage import assets_of


def loading_job(service: Service):
    """The job that loads months of a service, e.g. ``green_tripdata_job``; the same object whoever refers to it."""
    cloud = settings().cloud
    return _job(service, cloud=cloud is not None and cloud.is_complete)


@cache
def _job(service: Service, *, cloud: bool):
    selection = dg.AssetSelection.assets(*assets_of(service, cloud=False))
    if cloud:
        selection |= selection.downstream() & dg.AssetSelection.key_prefixes("gcs", "bigquery")
    return dg.define_asset_job(
        f"{service.table}_job",
        selection=selection,
        description=f"{service.title} trips: the file as the source has it now, then the table.",
        tags={"taxi": service.name},
    )


@dg.definitions
def jobs() -> dg.Definitions:
    """For each service, e.g. ``green_tripdata_job``: the file as the source has it now, then every table of it."""
    return dg.Definitions(jobs=[loading_job(service) for service in SERVICES.values()])

"""A job a service, for what works with jobs and not with assets: ``dagster job backfill``, schedules, sensors."""

import dagster as dg

from taxi_platform.monthly_io_manager import raw_key
from taxi_platform.services import SERVICES


@dg.definitions
def jobs() -> dg.Definitions:
    """For each service, e.g. ``green_tripdata_job``: the file as the source has it now, then the table."""
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                f"{service.table}_job",
                selection=dg.AssetSelection.assets(raw_key(service.table), service.table),
                description=f"{service.title} trips: the file as the source has it now, then the table.",
                tags={"taxi": service.name},
            )
            for service in SERVICES.values()
        ]
    )

"""One job per service, for everything that works with jobs and not with assets: schedules, sensors, job backfills."""

from functools import cache
from typing import Any

import dagster as dg

from taxi_platform.settings import settings
from taxi_platform.trips.keys import assets_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service


def loading_job(service: Service):
    """Return the job that loads months of a service, e.g. ``green_tripdata_job``; the same object to every caller."""
    return _job(service, cloud=settings().has_cloud)


def loading_run(service: Service, month: Month, **request: Any) -> dg.RunRequest:
    """Return a request for a run of that job for one month.

    It names the assets, although the job does too: only then do automation conditions see that the run loads the tables
    as well, and do not load them a second time because of the new file.
    """
    keys = [dg.AssetKey(path) for path in assets_of(service.table, cloud=settings().has_cloud)]
    return dg.RunRequest(job_name=loading_job(service).name, partition_key=str(month), asset_selection=keys, **request)


@cache
def _job(service: Service, *, cloud: bool):
    return dg.define_asset_job(
        f"{service.table}_job",
        selection=dg.AssetSelection.assets(*map(dg.AssetKey, assets_of(service.table, cloud=cloud))),
        description=f"{service.title} trips: the file as the source has it now, then every table of it.",
        tags={"taxi": service.name},
    )


@dg.definitions
def jobs() -> dg.Definitions:
    """Return one job per service, e.g. ``green_tripdata_job``."""
    return dg.Definitions(jobs=[loading_job(service) for service in SERVICES.values()])

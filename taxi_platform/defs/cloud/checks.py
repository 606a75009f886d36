"""Checks on the tables in BigQuery."""

from collections.abc import Iterator

import dagster as dg

from taxi_platform.checks.results import Verdict
from taxi_platform.checks.warehouses import SAME_IN_BOTH, compare_month
from taxi_platform.orchestration.check_results import Event, record_months, specs_of
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.trip_io import PostgresResource
from taxi_platform.trips.keys import warehouse_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service


def warehouse_checks(service: Service) -> dg.AssetChecksDefinition:
    """The checks of a service's table in BigQuery, each month for itself."""
    asset = dg.AssetKey(warehouse_key(service.table))

    @dg.multi_asset_check(
        name=f"bigquery_{service.table}_checks",
        specs=specs_of(asset, [SAME_IN_BOTH], monthly_partitions(service)),
        description="Compares each month with PostgreSQL, where it is there too.",
        pool="bigquery",
    )
    def checks(
        context: dg.AssetCheckExecutionContext, google: CloudResource, database: PostgresResource
    ) -> Iterator[Event]:
        with errors_as_failures():
            cloud, url = google.cloud(), database.address_if_used()

            def judge(month: Month) -> list[Verdict]:
                return [compare_month(cloud, url, service, month).verdict]

            yield from record_months(context, asset, [Month.parse(key) for key in context.partition_keys], judge)

    return checks


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every service."""
    return dg.Definitions(asset_checks=[warehouse_checks(service) for service in SERVICES.values()])

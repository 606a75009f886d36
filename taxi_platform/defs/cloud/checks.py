"""Checks on the tables in BigQuery."""

import warnings

import dagster as dg

from taxi_platform.defs.cloud.warehouse import warehouse_key
from taxi_platform.defs.taxi.assets import monthly_partitions
from taxi_platform.google.resource import CloudResource
from taxi_platform.google.warehouse.comparison import Compared, compare_month
from taxi_platform.months import Month
from taxi_platform.postgres.io_manager import PostgresResource
from taxi_platform.services import SERVICES, Service

NAME = "same_in_both_warehouses"


def same_in_both_warehouses(service: Service) -> dg.AssetChecksDefinition:
    """The check that each month's rows, sum and ids are in BigQuery what they are in PostgreSQL."""
    with warnings.catch_warnings():
        # Without partitions, February's result would hide January's.
        warnings.simplefilter("ignore", dg.PreviewWarning)

        @dg.asset_check(
            asset=warehouse_key(service),
            name=NAME,
            description="Where a month is in PostgreSQL too: as many rows, the same sum, the very same ids.",
            partitions_def=monthly_partitions(service),
            pool="bigquery",
        )
        def check(
            context: dg.AssetCheckExecutionContext, google: CloudResource, database: PostgresResource
        ) -> dg.AssetCheckResult:
            months = [Month.parse(key) for key in context.partition_keys]
            cloud, url = google.cloud(), database.address_if_used(context.log.info)
            compared = [compare_month(cloud, url, service, month, context.log.info) for month in months]
            if len(compared) > 1:
                _record_each(context, service, compared)
            return _result(compared)

    return check


def _result(compared: list[Compared]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=all(one.passed for one in compared),
        description="\n".join(one.story for one in compared),
        metadata={str(one.month): one.numbers for one in compared},
    )


def _record_each(context: dg.AssetCheckExecutionContext, service: Service, compared: list[Compared]) -> None:
    """In a range, Dagster records one result that belongs to no month."""
    for one in compared:
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=warehouse_key(service),
                check_name=NAME,
                passed=one.passed,
                partition=str(one.month),
                description=one.story,
                metadata={str(one.month): one.numbers},
            )
        )


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of every service."""
    return dg.Definitions(asset_checks=[same_in_both_warehouses(service) for service in SERVICES.values()])

"""The assets of the reports: the page of each month, and the page of all months."""

from typing import Any

import dagster as dg

from taxi_platform.defs.trips import OWNERS
from taxi_platform.orchestration.links import COURSE, TRIP_RECORDS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.reports.queries import DISPATCHED, REVENUE, TRIPS, ZONES
from taxi_platform.reports.writing import Report, Reports
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

GROUP = "reports"
LINKS = links("reports.md", source=TRIP_RECORDS, course=COURSE)
MODELS = [dg.AssetKey(table.rpartition(".")[2]) for table in (TRIPS, *DISPATCHED.values(), REVENUE, ZONES)]


def monthly_report() -> dg.AssetsDefinition:
    """Return the asset that is a page for each month."""

    @dg.asset(
        name="monthly_report",
        deps=MODELS,
        description="A month's trips as one page of charts and tables that can be opened anywhere: days, hours of the "
        "week, zones, distances, fares, payments, and how good the data is.",
        partitions_def=monthly_partitions(*SERVICES.values()),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds={"html", "altair"},
        owners=OWNERS,
        metadata=LINKS,
    )
    def report(context: dg.AssetExecutionContext, reports: dg.ResourceParam[Reports]) -> None:
        with errors_as_failures():
            for key in context.partition_keys:
                written = reports.write(Month.parse(key))
                context.add_asset_metadata(report_metadata(written), partition_key=key)

    return report


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that it can be in the same run as a range of months
    deps=MODELS,
    group_name=GROUP,
    kinds={"html", "altair"},
    owners=OWNERS,
    metadata=LINKS,
)
def trips_report(reports: dg.ResourceParam[Reports]) -> dg.MaterializeResult[Any]:
    """Write all months' trips as one page of charts and tables, with the course's homework answered."""
    with errors_as_failures():
        return dg.MaterializeResult(metadata=report_metadata(reports.write()))


def report_metadata(report: Report) -> dict[str, Any]:
    """Return the metadata of a report: where it is, what it is about, and its charts."""
    notices = "\n".join(
        f"- {notice.text}" + (f" `{notice.command}`" if notice.command else "") for notice in report.page.notices
    )
    return {
        "path": dg.MetadataValue.path(report.path),
        "bytes": report.path.stat().st_size,
        "trips": report.trips,
        **({"notices": dg.MetadataValue.md(notices)} if notices else {}),
        **{f"picture: {figure.title.lower()}": dg.MetadataValue.md(figure.preview) for figure in report.page.figures},
    }


@dg.definitions
def reports() -> dg.Definitions:
    """Return both assets."""
    return dg.Definitions(assets=[monthly_report(), trips_report])

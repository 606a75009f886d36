"""Labels for runs that were started without them: their assets add them when they start."""

import dagster as dg

from taxi_platform.ledger.run_tags import lacking_labels
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def label_run(context: dg.AssetExecutionContext, service: Service) -> None:
    """Tag the run of this asset with the service and months that it loads, where its tags do not say so yet.

    Runs from the web UI and from Dagster's commands come without labels. A run may hold several assets: each adds
    what it lacks to the tags as they are by then, which the run's own copy of them does not show.
    """
    months = [Month.parse(key) for key in context.partition_keys]
    if not lacking_labels(context.run.tags, service, months):
        return
    run = context.instance.get_run_by_id(context.run.run_id)
    lacking = run and lacking_labels(run.tags, service, months)
    if lacking:
        context.instance.add_run_tags(context.run.run_id, lacking)

"""When an asset follows those that it is made from, and the sensor that evaluates that."""

from typing import Any

import dagster as dg


def follows_its_files() -> dg.AutomationCondition[Any]:
    """Return the condition that loads a month of a table when the file that it is made from was fetched without it.

    Schedules, sensors and backfills bring file and tables in one run. This is for files that come alone: somebody
    materialized ``raw/green_tripdata``, or the load of one table has fetched a file that another table lacks.

    Clause by clause:

    - *a dependency was updated, in a run that did not target the asset too*: what one run loads together is not loaded
      again, and a load that failed in such a run is not tried again because of its file. Files that were there before
      the first evaluation do not count as updates, so switching this on starts nothing.
    - *since the asset was requested or updated last*: an update is kept while the next clauses hold it back, and is
      answered once. If the run that answers fails, its retries and people take care of it.
    - *no dependency is in progress*: a file that is being fetched again is waited for, and a range of files is
      followed by one run when all of it is there, not by one run per month.
    - *the asset itself is not in progress*: the running load may have begun with the old file or with the new one;
      what it has not seen is loaded after it.
    """
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("follows_its_files")


@dg.definitions
def automation() -> dg.Definitions:
    """Return one sensor for every asset that has a condition, instead of Dagster's own, which is off at first.

    Ours is on from the start: the conditions answer only to files that somebody has just fetched, so nothing is loaded
    that nobody asked for.
    """
    return dg.Definitions(
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "follow_upstream_sensor",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=30,
                description="Loads tables whose files were brought without them, by the conditions of the assets.",
            )
        ]
    )

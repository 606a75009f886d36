"""When an asset follows those that it is made from, and the sensor that evaluates that."""

from typing import Any

import dagster as dg


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


@dg.definitions
def automation() -> dg.Definitions:
    """Return the sensor that evaluates the conditions.

    Dagster's own is off at first. Ours can be on: only a file that somebody has just fetched makes a condition true.
    """
    return dg.Definitions(
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "follow_upstream_sensor",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=30,
                description="Loads tables whose files were fetched without them, by the conditions of the assets.",
            )
        ]
    )

"""When an asset follows those that it is made from, without a schedule or a sensor of its own."""

from typing import Any

import dagster as dg


def follows_its_files() -> dg.AutomationCondition[Any]:
    """A month of a table is loaded when the file that it is made from was brought without it.

    Schedules, sensors and backfills bring file and tables in one run. What is left for this are files that come alone:
    somebody materialized ``raw/green_tripdata``, or one table's load has fetched a file that another table lacks.

    Clause by clause:

    - *a dependency was updated, in a run that did not target the asset too*: what one run loads together is not loaded
      again, nor is a load that failed in such a run tried again for its file's sake. Files that were there before the
      first evaluation are no update, so that switching this on starts nothing.
    - *since the asset was requested or updated last*: an update is remembered while the next clauses hold it back, and
      answered once. When the run that answers fails, that is for its retries and for people.
    - *no dependency is in progress*: a file that is being fetched again is waited for, and a range of files is
      followed by one run when all of it is there, not by a run for each of its months.
    - *the asset itself is not in progress*: the load that goes on may have begun with the old file or with the new;
      what it has not seen is loaded after it.
    """
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("follows_its_files")

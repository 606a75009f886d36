"""The last steps of ``taxi demo``: the models of what was loaded, and the page on which one sees it."""

import io
import time
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from taxi_platform.cli.demo_runs import SILENT, Outcome, Say, reasons, span
from taxi_platform.trips.months import Month, ranges

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult

MODELS, REPORT = "models", "trips_report"  # a group of assets, and an asset
TRIPS = "fct_trips"  # the model whose months tell which ones are built


@dataclass(frozen=True)
class Shown:
    """What became of the last steps.

    Attributes:
        months: how many months the models were built of.
        seconds: how long that and the page took.
        page: where the page is; empty where there is none.
        failures: why something failed.
    """

    months: int
    seconds: float
    page: str
    failures: Sequence[str]

    def tell(self, say: Say) -> None:
        """Say it in a line, and each failure in another one."""
        built = f"of {self.months} months built" if self.months else "were there already"
        say(f"  models {built}, and the page made of them, in {self.seconds:.1f} s")
        for failure in self.failures:
            say(f"    failed: {failure}")


def show(defs: "Definitions", instance: "DagsterInstance", outcomes: Iterable[Outcome], say: Say) -> Shown:
    """Build the models of the months that have come or that they lack, and make the page of all months.

    Args:
        defs: the code location.
        instance: where the runs are remembered.
        outcomes: what became of the tables.
        say: where progress is told.
    """
    import dagster as dg

    started = time.monotonic()
    built = instance.get_materialized_partitions(dg.AssetKey(TRIPS))
    months = {Month.parse(key) for one in outcomes for key, is_new in one.months.items() if is_new or key not in built}
    models = [spec.key for spec in defs.resolve_all_asset_specs() if spec.group_name == MODELS]
    failures: list[str] = []
    for first, last in ranges(months):
        say(f"models: building {first} to {last} …")
        failures += reasons(_run(defs, instance, models, (first, last)))
    page = _run(defs, instance, [dg.AssetKey(REPORT)])
    return Shown(
        months=len(months),
        seconds=time.monotonic() - started,
        page=_path(page) if page.success else "",
        failures=[*failures, *reasons(page)],
    )


def _path(run: "ExecuteInProcessResult") -> str:
    (made,) = run.asset_materializations_for_node(REPORT)
    return cast("str", made.metadata["path"].value)


def _run(
    defs: "Definitions",
    instance: "DagsterInstance",
    assets: Sequence["AssetKey"],
    months: tuple[Month, Month] | None = None,
) -> "ExecuteInProcessResult":
    with redirect_stdout(io.StringIO()):  # dbt's own account, which the run's page in the UI has too
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=assets, tags=span(months), raise_on_error=False, run_config=SILENT
        )

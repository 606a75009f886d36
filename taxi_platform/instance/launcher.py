"""The run launcher that ``dagster.yaml`` names: Dagster's default one, which cannot tell a crashed run by itself.

The code server notices when a process that it has started dies. What it does not notice, because it died too or lost
the database meanwhile, Dagster's run monitoring finds by asking here, and declares the run failed, to be retried.
"""

from typing import TYPE_CHECKING, cast

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from taxi_platform.instance.signs_of_life import SILENCE_SECONDS, SignsOfLife, Watch, whose

if TYPE_CHECKING:
    from dagster._core.storage.runs import SqlRunStorage


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs in the code server, and knows by their signs of life whether their processes still work."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._watch = Watch()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks for it."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run works; one that has been silent for long enough is gone.

        A run of a command has no server that could be asked, and is watched all the same.
        """
        sign = SignsOfLife(cast("SqlRunStorage", self._instance.run_storage)).last(run.run_id)
        silence = self._watch.silence(run.run_id, sign)
        if silence < SILENCE_SECONDS:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._watch.forget(run.run_id)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"{whose(sign)} has given no sign of life for {silence:.0f} s"
        )

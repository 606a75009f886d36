"""The run launcher that ``dagster.yaml`` names: Dagster's default one, which cannot tell a crashed run by itself.

The code server notices when a process that it has started dies. What it does not notice, because it died too or lost
the database meanwhile, Dagster's run monitoring finds by asking here, and declares the run failed, to be retried.
"""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from taxi_platform.ledger.heartbeats import SILENCE_SECONDS, SignsOfLife, Watch, whose

if TYPE_CHECKING:
    from dagster._core.storage.runs import SqlRunStorage


READY_SECONDS = 20.0  # what the daemon takes to know again a code server that has come back
OUTAGE_SECONDS = 600.0  # then a code server is not coming back, and its runs must not keep their places in the pools


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs in the code server, and knows by their signs of life whether their processes still work."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._signs = Watch()
        self._servers = Watch()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks for it."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run works; one that has been silent for long enough is gone.

        Without its code server a run cannot be retried, and Dagster tries to only once, at the moment when the run has
        failed. So that moment waits for the server. A run of a command has no server, and is watched all the same.
        """
        sign = SignsOfLife(cast("SqlRunStorage", self._instance.run_storage)).last(run.run_id)
        silence = self._signs.unchanged(run.run_id, sign)
        answers = self._server_answers(run)
        known = self._servers.unchanged(run.run_id, answers)
        ready = known if answers else 0.0
        if silence < SILENCE_SECONDS or (ready < READY_SECONDS and silence < OUTAGE_SECONDS):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._signs.forget(run.run_id)
        self._servers.forget(run.run_id)
        said = f"{whose(sign)} has given no sign of life for {silence:.0f} s"
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, said)

    def _server_answers(self, run: DagsterRun) -> bool:
        """Whether the code server that started the run is there, or is none that one could wait for."""
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None or (client.socket and not Path(client.socket).exists()):
            return True
        try:
            client.ping("")
        except DagsterUserCodeUnreachableError:
            return False
        return True

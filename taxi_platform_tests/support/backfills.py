"""The platform as ``taxi backfill`` and ``taxi status`` see it: Dagster's state in PostgreSQL, and no daemon.

def test_...(backfills: Backfills) -> None:
status, output = backfills.backfill("green", "2019-01..2019-03")
"""

import io
from contextlib import redirect_stdout

import dagster as dg
import pytest
from sqlalchemy.pool import Pool

from taxi_platform.cli.backfill import run_backfill
from taxi_platform_tests.support.asset_runs import Platform


class Backfills(Platform):
    """The platform with the command ``taxi backfill``."""

    def __init__(
        self, instance: dg.DagsterInstance, database: str, patch: pytest.MonkeyPatch, pools: list[Pool]
    ) -> None:
        super().__init__(instance, database, patch)
        self._pools = pools
        patch.setattr("taxi_platform.definitions.defs", self.definitions)  # loaded once, as long as the settings stay

    def backfill(self, services: str, months: str, **options: object) -> tuple[int, list[str]]:
        """Run the command, and return its exit status and the lines that it printed."""
        with redirect_stdout(io.StringIO()) as output:
            status = run_backfill(services, months, **options)  # pyright: ignore
        for pool in self._pools:
            pool.dispose()
        return status, output.getvalue().splitlines()

    def runs(self) -> list[dg.DagsterRun]:
        """Return all runs, the oldest first."""
        return list(reversed(self.instance.get_runs()))

"""The platform as ``taxi backfill`` and ``taxi status`` see it: Dagster's state in PostgreSQL, and no daemon.

def test_...(backfills: Backfills) -> None:
status, said = backfills.backfill("green", "2019-01..2019-03")
"""

import io
from contextlib import redirect_stdout

import dagster as dg

from taxi_platform.cli.backfill import run_backfill
from taxi_platform_tests.support.asset_runs import Platform


class Backfills(Platform):
    """The platform, with the command beside it."""

    def backfill(self, services: str, months: str, **options: object) -> tuple[int, list[str]]:
        """Run the command; its exit status and what it said."""
        with redirect_stdout(io.StringIO()) as said:
            status = run_backfill(services, months, **options)  # pyright: ignore
        return status, said.getvalue().splitlines()

    def runs(self) -> list[dg.DagsterRun]:
        """All runs, the oldest first."""
        return list(reversed(self.instance.get_runs()))

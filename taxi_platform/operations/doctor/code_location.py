"""The code location: whether the definitions load, in a process of their own as Dagster loads them."""

import json
import subprocess
import sys
from collections.abc import Iterator

from taxi_platform.operations.doctor.findings import Finding, ok, problem
from taxi_platform.settings import PROJECT, Settings

SECONDS = 60
_LOAD = """
import json
from taxi_platform.definitions import defs
found = defs().get_repository_def()
print(json.dumps({
    "assets": len(found.asset_graph.get_all_asset_keys()), "jobs": len(found.job_names),
    "schedules": len(found.schedule_defs), "sensors": len(found.sensor_defs),
}))
"""


def examine(settings: Settings) -> Iterator[Finding]:
    """Load the definitions and count them."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LOAD], cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        yield problem(f"the definitions did not load within {SECONDS} s", "`dg check defs` shows where it hangs.")
        return
    yield loaded(done.returncode, done.stdout, done.stderr)


def loaded(status: int, output: str, errors: str) -> Finding:
    """What a process that loads the definitions has said."""
    if status == 0:
        counts = json.loads(output.splitlines()[-1])
        return ok("the definitions load: " + ", ".join(f"{number} {noun}" for noun, number in counts.items()))
    last = [line for line in errors.splitlines() if line.strip()][-1:] or [f"exit status {status}"]
    return problem(f"the definitions do not load: {last[0]}", "`dg check defs` shows the whole story.")

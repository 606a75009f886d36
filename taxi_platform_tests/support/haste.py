"""Waits of the services made shorter, where a test would do nothing but wait, in the copies that a stack runs.

Heartbeats come five times as often, and a run is declared dead after a fifth of the timeout: as many heartbeats.
"""

import re
from pathlib import Path

# A folder for PYTHONPATH; see the file in it.
PYTHON = Path(__file__).parent / "python"

# In files of the image, below its root: a pattern with the one number that is replaced.
SHORTER = (
    ("opt/dagster/dagster.yaml", r"poll_interval_seconds: (15)", "2"),
    ("app/taxi_platform/ledger/heartbeats.py", r"HEARTBEAT_SECONDS = (10\.0)", "2.0"),
    ("app/taxi_platform/ledger/heartbeats.py", r"TIMEOUT_SECONDS = (60\.0)", "12.0"),
    ("app/taxi_platform/orchestration/launcher.py", r"READY_SECONDS = (20\.0)", "8.0"),
)
# Dagster looks at backfills every 30 s, and no setting changes that; it forgives five failures in a row, which is to
# be as long a time here. The daemon's Python runs this at first.
DAEMON = """
import os
import dagster._daemon.controller
dagster._daemon.controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 3
os.environ["DAGSTER_MAX_BACKFILL_RETRIES"] = "50"
"""


def make_haste(root: Path) -> None:
    """Shorten the waits of the files below a root."""
    for name, pattern, number in SHORTER:
        path = root / name
        text, count = re.subn(pattern, lambda found, to=number: found[0].replace(found[1], to), path.read_text())
        assert count == 1, f"{name} has changed: {pattern} is there {count} times"
        path.write_text(text)


def lay_prelude(folder: Path, lines: str = "") -> None:
    """Make a folder for ``PYTHONPATH`` whose Python runs these lines first, besides those of all tests."""
    (folder / "sitecustomize.py").write_text((PYTHON / "sitecustomize.py").read_text() + lines)

"""Imported by the process from which the runs' processes are forked; see ``haste``."""

from contextlib import nullcontext

import dagster._cli  # noqa: F401 - what the code server's own program imports
import dagster_postgres  # noqa: F401
from dagster._core.execution import compute_logs

from taxi_platform.definitions import defs

defs().get_repository_def()
# Nobody reads a run's output in its code server's output, and repeating it there takes four processes per run.
compute_logs.execute_posix_tail = lambda path, stream: nullcontext((None, None))  # pyright: ignore

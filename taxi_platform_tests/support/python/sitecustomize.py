"""What every Python that the tests start runs first: fewer searches for garbage.

Python searches all objects again and again while it imports Dagster, and once more when it ends. Tests start hundreds
of processes that do little else.
"""

import atexit
import gc
import sys

gc.set_threshold(100_000, 50, 1000)
atexit.register(lambda: "duckdb" in sys.modules or gc.freeze())  # which would report its objects as leaks

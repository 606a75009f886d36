"""Makes garbage collection rare in every Python process that the tests start.

Python collects garbage again and again while it imports Dagster, and once more when it ends. Tests start hundreds of
processes that do little else.
"""

import atexit
import gc
import sys

gc.set_threshold(100_000, 50, 1000)
atexit.register(lambda: "duckdb" in sys.modules or gc.freeze())  # duckdb would report frozen objects as leaks

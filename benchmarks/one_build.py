"""A process that runs dbt as ``taxi dbt`` does: ``python -m benchmarks.one_build build …``."""

import sys

from taxi_platform.cli.dbt import run_dbt

if __name__ == "__main__":
    sys.exit(run_dbt(sys.argv[1:]))

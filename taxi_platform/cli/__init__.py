"""The ``taxi`` command: what Dagster's own commands lack."""

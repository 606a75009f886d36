"""What a schedule's tick or a sensor's look decides. How Dagster asks for it, and what runs then, is in ``defs/``."""

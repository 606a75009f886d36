"""The dbt project seen from Python: its manifest, where it builds to, and how it is run. The models are in ``dbt/``."""

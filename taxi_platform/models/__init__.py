"""The dbt project seen from Python: its manifest, the targets it builds on, and one build.

The models themselves are SQL, in ``dbt/``. How Dagster shows them belongs in ``defs/models``.
"""

"""Checks: whether a loaded month equals its file, looks like other months, and is the same in both warehouses.

``rules`` is a table, ``facts`` reads the database, and ``months``, ``services`` and ``warehouses`` make the check
results. How results are recorded in Dagster, and when checks run, does not belong here.
"""

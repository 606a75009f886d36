"""Dagster's interfaces: resources, I/O managers, partitions and check results; the instance's storage and run launcher.

How files and tables are loaded belongs in the rooms that these classes call; the definitions belong in ``defs``.
"""

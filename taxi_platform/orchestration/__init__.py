"""Dagster's interfaces: resources, I/O managers, partitions and check results; the instance's storage and run launcher.

Loading files and tables belongs in the packages that these classes call; the definitions belong in ``defs``.
"""

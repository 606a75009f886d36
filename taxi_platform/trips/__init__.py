"""The domain: the services' contracts, months and partitions, trip files, and how these are read and checked.

Contracts are in ``services`` and ``columns``; ``headers`` checks the columns of a file, ``reading`` and ``parquet``
read it, ``records`` is the one parser, and ``keys`` has the names of assets and files. Nothing here knows Dagster, a
database or a network.
"""

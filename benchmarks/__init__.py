"""The benchmarks of ``make bench``: speed and size of the platform, most of them measured against another way.

The platform does not import this package. ``docs/performance.md`` shows the figures and targets.
"""

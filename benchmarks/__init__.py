"""What ``make bench`` runs: speed and size of the platform, each measured in pairs against something to compare with.

Nothing of the platform imports this package, and no figure is decided here that ``docs/performance.md`` does not show.
"""

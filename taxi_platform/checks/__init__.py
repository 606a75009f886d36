"""Whether to believe what the tables hold: which facts of a month are gathered, and what is said of them.

What decides is pure: ``rules`` and their thresholds, the SQL of ``statements``, and the verdicts of ``shape``,
``judging``, ``volume`` and ``upkeep``. ``gathering`` asks the database, ``recording`` tells Dagster. Which checks there
are and when they run is the business of ``defs/quality``.
"""

"""The report pages: figures queried from the models, and the HTML pages made of them.

Dagster's assets and resource for the reports do not belong here; they are in ``defs`` and ``orchestration``.
"""

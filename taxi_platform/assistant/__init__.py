"""The assistant: answers from documents and about the platform, and proposals for new assets, with or without a model.

Dagster's assets and resource for it do not belong here; they are in ``defs`` and ``orchestration``.
"""

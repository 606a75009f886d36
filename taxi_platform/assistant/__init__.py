"""The assistant: answers from documents and about the platform, and proposals for new assets, with or without a model.

Every function that asks a model raises ``ModelUnreachable`` or ``ModelRefused`` if it does not answer.
"""

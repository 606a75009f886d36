"""The assistant: answers from documents and about the platform, and proposals for new assets, with or without a model.

Whatever asks a model raises ``ModelUnreachable`` or ``ModelRefused`` where there is no answer.
"""

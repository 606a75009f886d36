"""Dagster definitions by subject, and nothing else: what they do is decided in the package around them.

Schedules and sensors are defined beside their jobs: those that load months in ``jobs``, the others with their subject.
"""

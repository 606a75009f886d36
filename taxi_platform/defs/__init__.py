"""Dagster definitions by subject, and nothing else: what they do is decided in the package around them."""

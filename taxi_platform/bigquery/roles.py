"""Which role holds a permission that Google says is missing. Pure.

Of the roles that hold it, the one is named that the platform needs anyway: see the table in ``docs/cloud.md``.
"""

import re

_PERMISSION = re.compile(r"\b(?:storage|bigquery|secretmanager)\.[a-zA-Z]+\.[a-zA-Z]+\b", re.ASCII)

# In this order: the first that fits.
_ROLES = (
    ("storage.objects.", "roles/storage.objectUser"),
    ("storage.buckets.get", "roles/storage.legacyBucketReader"),
    ("storage.", "roles/storage.admin"),
    ("bigquery.jobs.create", "roles/bigquery.jobUser"),
    ("bigquery.readsessions.", "roles/bigquery.readSessionUser"),
    ("bigquery.datasets.create", "roles/bigquery.user"),
    ("bigquery.", "roles/bigquery.dataEditor"),
    ("secretmanager.versions.access", "roles/secretmanager.secretAccessor"),
    ("secretmanager.", "roles/secretmanager.viewer"),
)


def missing_permissions(message: str) -> list[str]:
    """The permissions that a message of Google's names, in its order, each once."""
    return list(dict.fromkeys(_PERMISSION.findall(message)))


def role_for(permission: str) -> str | None:
    """The role to ask for, when a permission is missing; none for a permission that the platform does not use."""
    return next((role for beginning, role in _ROLES if permission.startswith(beginning)), None)


def advice_for(permissions: list[str]) -> str:
    """What to ask of whoever grants roles in the project."""
    roles = list(dict.fromkeys(filter(None, map(role_for, permissions))))
    if not roles:
        return "See docs/cloud.md for the roles that the account needs."
    return f"Have the account granted {' and '.join(roles)}; see docs/cloud.md."

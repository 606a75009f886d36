"""The names that Google Cloud accepts for a project, a location, a bucket and a dataset. Pure.

The rules are those of https://cloud.google.com/storage/docs/buckets#naming, of BigQuery's datasets and of project ids.
Whether something with that name exists is checked in ``setup``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from taxi_platform.errors import InvalidSetting


@dataclass(frozen=True)
class _Rule:
    """What one setting may be: a pattern, what is wrong with anything else, and what to write instead."""

    valid: str
    problem: str
    advice: str
    mistake: str = r"\b\B"  # a common one, which has its own message; this pattern matches nothing
    mistaken: str = ""


_BUCKET = (
    "A name has 3 to 63 lower-case letters, digits, dashes, underscores and dots, and begins and ends with a letter or "
    "digit; it is neither an IP address nor contains `google`, and it must be unique in the whole world, so start it "
    "with the project's id."
)
_RULES = {
    "GCP_PROJECT_ID": _Rule(
        r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",  # with a legacy prefix: example.com:trips-123456
        "this cannot be the id of a project",
        "An id has 6 to 30 lower-case letters, digits and dashes, and begins with a letter; "
        "`gcloud projects list` shows yours.",
        r"\d+",
        "this is a project's number, not its id",
    ),
    "GCP_LOCATION": _Rule(
        r"(?i:us|eu|[a-z]+-[a-z]+\d{1,2})",
        "this is not a location that has both buckets and datasets",
        "Write a region such as europe-west2, or the multi-region EU or US.",
        r"(?i:[a-z]+-[a-z]+\d{1,2}-[a-z])",
        "this is a zone; buckets and datasets are in a region",
    ),
    "GCP_BUCKET_NAME": _Rule(
        r"(?!goog|.*google|\d+\.\d+\.\d+\.\d+$)(?=.{3,222}$)[a-z0-9][a-z0-9_-]{0,62}(?:\.[a-z0-9_-]{1,63})*(?<=[a-z0-9])",
        "a bucket cannot have this name",
        _BUCKET,
        r".*/.*",
        "this is an address, not a bucket's name",
    ),
    "GCP_DATASET": _Rule(
        r"[A-Za-z0-9_]{1,1024}",
        "a dataset cannot have this name",
        "A name has letters, digits and underscores, at most 1024 of them, no dashes, and not its project.",
    ),
}


def problems_of_names(project_id: str, location: str, bucket_name: str, dataset: str) -> Iterator[InvalidSetting]:
    """Yield what is wrong with each of the four names, in the order in which they are set."""
    for (setting, rule), value in zip(_RULES.items(), (project_id, location, bucket_name, dataset), strict=True):
        if not re.fullmatch(rule.valid, value, re.ASCII):
            what = rule.mistaken if re.fullmatch(rule.mistake, value, re.ASCII) else rule.problem
            yield InvalidSetting(f"{setting}={value}", what, rule.advice)

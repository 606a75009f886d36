"""The names that Google Cloud accepts for a project, a location, a bucket and a dataset. Pure.

The rules are those of https://cloud.google.com/storage/docs/buckets#naming, of BigQuery's datasets and of project ids.
Whether something with that name exists is checked in ``setup``.
"""

import re
from collections.abc import Iterator

from taxi_platform.errors import InvalidSetting

# With a legacy prefix, a company's domain: example.com:trips-123456
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", re.ASCII)
_LOCATION = re.compile(r"us|eu|[a-z]+-[a-z]+\d{1,2}", re.ASCII | re.IGNORECASE)
_ZONE = re.compile(r"([a-z]+-[a-z]+\d{1,2})-[a-z]", re.ASCII | re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}", re.ASCII)


def problems_of_names(project_id: str, location: str, bucket_name: str, dataset: str) -> Iterator[InvalidSetting]:
    """Yield what is wrong with each of the four names, in the order in which they are set."""
    for setting, value, problem in (
        ("GCP_PROJECT_ID", project_id, _problem_of_project(project_id)),
        ("GCP_LOCATION", location, _problem_of_location(location)),
        ("GCP_BUCKET_NAME", bucket_name, _problem_of_bucket(bucket_name)),
        ("GCP_DATASET", dataset, _problem_of_dataset(dataset)),
    ):
        if problem:
            what, advice = problem
            yield InvalidSetting(f"{setting}={value}", what, advice)


def _problem_of_project(name: str) -> tuple[str, str] | None:
    if _PROJECT.fullmatch(name):
        return None
    if name.isdigit():
        return "this is a project's number, not its id", "`gcloud projects list` shows the id beside it."
    return (
        "this cannot be the id of a project",
        "An id has 6 to 30 lower-case letters, digits and dashes, and begins with a letter; "
        "`gcloud projects list` shows yours.",
    )


def _problem_of_location(name: str) -> tuple[str, str] | None:
    if _LOCATION.fullmatch(name):
        return None
    if zone := _ZONE.fullmatch(name):
        return "this is a zone; buckets and datasets are in a region", f"Set GCP_LOCATION={zone[1]}."
    return (
        "this is not a location that has both buckets and datasets",
        "Write a region such as europe-west2, or the multi-region EU or US.",
    )


def _problem_of_bucket(name: str) -> tuple[str, str] | None:
    valid = (
        "A name has 3 to 63 lower-case letters, digits, dashes, underscores and dots, and begins and ends with a "
        "letter or digit; it must be unique in the whole world, so start it with the project's id."
    )
    if name.startswith("gs://") or "/" in name:
        return "this is an address, not a bucket's name", valid
    if name != name.lower():
        return "a bucket's name has no capital letters", valid
    if _ADDRESS.fullmatch(name):
        return "a bucket's name must not look like an IP address", valid
    if name.startswith("goog") or "google" in name:
        return "a bucket's name must not begin with `goog` nor contain `google`", valid
    parts = name.split(".")
    if not _BUCKET.fullmatch(name) or not all(1 <= len(part) <= 63 for part in parts):
        return "a bucket cannot have this name", valid
    return None


def _problem_of_dataset(name: str) -> tuple[str, str] | None:
    if _DATASET.fullmatch(name):
        return None
    valid = "A name has letters, digits and underscores, at most 1024 of them."
    if "-" in name:
        return "a dataset's name has no dashes", f"{valid} For instance {name.replace('-', '_')}."
    if "." in name:
        return "a dataset is named without its project", valid
    return "a dataset cannot have this name", valid

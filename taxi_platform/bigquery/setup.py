"""The bucket and the dataset: find them, create them where they are missing, and check them before a run.

What exists is not changed. A dataset in another location is refused, and so is a bucket that BigQuery cannot load from
or that belongs to somebody else.
"""

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

from taxi_platform.bigquery.clients import LABELS, Cloud
from taxi_platform.bigquery.errors import advice_for, google_errors, names_a_project
from taxi_platform.bigquery.lake import STAGING
from taxi_platform.errors import CloudNotReady, CloudRefused, TaxiError

logger = logging.getLogger(__name__)

STAGING_DAYS = 1  # a load needs what it has staged for less than an hour
DESCRIPTION = "NYC taxi trips, loaded by taxi_platform: every row of every file exactly once."
NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
_OUTSIDE_EU = ("EUROPE-WEST2", "EUROPE-WEST6")  # London and Zurich are not part of the multi-region EU
_NO_RULE = "no lifecycle rule deletes objects under staging/, where killed loads of irregular files may leave some"
_CREATE_IT = "The job gcp_setup makes it: `dagster job execute -j gcp_setup`."


def find_bucket(cloud: Cloud) -> Any:
    """Return the bucket of this name, or None."""
    from google.api_core.exceptions import Forbidden, NotFound

    subject = f"bucket {cloud.bucket}"
    with google_errors(subject):
        try:
            bucket = cast("Any", cloud.storage).get_bucket(cloud.bucket, **cloud.storage_options(subject))
        except NotFound:
            return None
        except Forbidden as error:
            if "storage.buckets.get" in str(error):
                raise _taken(cloud) from error
            raise
    if not can_load(bucket.location, cloud.location):
        raise _elsewhere(cloud, subject, bucket.location, "GCP_BUCKET_NAME")
    if bucket.location.upper() != cloud.location.upper():
        logger.warning("%s: it is in %s, while GCP_LOCATION is %s", subject, bucket.location, cloud.location)
    return bucket


def find_dataset(cloud: Cloud) -> Any:
    """Return the dataset of this name, or None."""
    from google.api_core.exceptions import NotFound

    subject = f"dataset {cloud.dataset}"
    with google_errors(subject):
        try:
            dataset = cast("Any", cloud.bigquery).get_dataset(cloud.dataset, **cloud.bigquery_options(subject))
        except NotFound as error:
            if names_a_project(str(error)):
                raise
            return None
    if dataset.location.upper() != cloud.location.upper():  # Google writes both EUROPE-WEST2 and europe-west2
        raise _elsewhere(cloud, subject, dataset.location, "GCP_DATASET")
    return dataset


def can_load(bucket: str, dataset: str) -> bool:
    """Return whether BigQuery loads from a bucket in one location into a dataset in another.

    It must be the same one, or part of the same multi-region; a dataset in US can be loaded from everywhere.
    """
    bucket, dataset = bucket.upper(), dataset.upper()
    in_eu = bucket.startswith("EUROPE-") and bucket not in _OUTSIDE_EU
    return dataset in ("US", bucket) or (dataset == "EU" and in_eu)


def _elsewhere(cloud: Cloud, subject: str, location: str, setting: str) -> CloudNotReady:
    what = f"it is in {location}, and GCP_LOCATION is {cloud.location}; BigQuery does not load from one into the other"
    advice = f"Set GCP_LOCATION={location}, or {setting} to a new name: neither can be moved."
    return CloudNotReady(subject, what, advice)


def _taken(cloud: Cloud) -> CloudNotReady:
    return CloudNotReady(
        f"bucket {cloud.bucket}",
        "there is such a bucket, but the account may not see it: the name is taken by somebody else, because bucket "
        "names are shared by the whole world, or a role is missing",
        f"Set GCP_BUCKET_NAME to another name, such as {cloud.project}-taxi-lake; "
        "if the bucket is yours, have the account granted roles/storage.legacyBucketReader.",
    )


def set_up(cloud: Cloud) -> dict[str, str | bool]:
    """Create the bucket and the dataset where they are missing. Running twice, or twice at once, changes nothing.

    Return where they are, and whether they were created just now.

    Raises:
        CloudNotReady: one of them is in another location, the bucket is another project's, or the project is missing.
    """
    return {
        "bucket": f"gs://{cloud.bucket}",
        "dataset": f"{cloud.project}.{cloud.dataset}",
        "location": cloud.location,
        "made_bucket": _ensure(cloud, f"bucket {cloud.bucket}", find_bucket, _create_bucket),
        "made_dataset": _ensure(cloud, f"dataset {cloud.dataset}", find_dataset, _create_dataset),
    }


def _ensure(
    cloud: Cloud, subject: str, find: Callable[[Cloud], Any], create: Callable[[Cloud, dict[str, Any]], None]
) -> bool:
    """Create a bucket or a dataset unless it exists, and return whether it was created here."""
    from google.api_core.exceptions import Conflict

    if existing := find(cloud):
        logger.info("%s: exists, in %s", subject, existing.location)
        # Only buckets have a lifecycle.
        rules = [rule for rule in getattr(existing, "lifecycle_rules", []) if rule["action"]["type"] == "Delete"]
        removed = [rule["condition"].get("matchesPrefix", [STAGING]) for rule in rules]
        if find is find_bucket and not any(STAGING in prefixes for prefixes in removed):
            logger.warning("%s: %s", subject, _NO_RULE)
        return False
    with google_errors(subject):
        try:
            create(cloud, cloud.bigquery_options(subject))
        except Conflict:
            if find(cloud) is None:
                raise _taken(cloud) from None
            logger.info("%s: another run has created it at the same time", subject)
            return False
    logger.info("%s: created, in %s", subject, cloud.location)
    return True


def _create_bucket(cloud: Cloud, options: dict[str, Any]) -> None:
    bucket: Any = cloud.storage.bucket(cloud.bucket)
    bucket.storage_class = "STANDARD"
    bucket.labels = LABELS
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.add_lifecycle_delete_rule(age=STAGING_DAYS, matches_prefix=[STAGING])
    cast("Any", cloud.storage).create_bucket(bucket, project=cloud.project, location=cloud.location, **options)


def _create_dataset(cloud: Cloud, options: dict[str, Any]) -> None:
    from google.cloud import bigquery

    dataset: Any = bigquery.Dataset(f"{cloud.project}.{cloud.dataset}")
    dataset.location = cloud.location
    dataset.labels = LABELS
    dataset.description = DESCRIPTION
    cast("Any", cloud.bigquery).create_dataset(dataset, **options)


def problems(cloud: Cloud) -> Iterator[TaxiError]:
    """Yield what prevents uploads and loads, each with what to do; ``taxi doctor`` shows the same.

    Only reads, and costs nothing: credentials, the bucket, its location and what the account may do there, the
    dataset, its location, and whether the account may run jobs.
    """
    try:
        _ = cloud.storage, cloud.bigquery  # finds the credentials; the first request shows whether Google accepts them
    except TaxiError as problem:
        yield problem
        return
    for check in (_check_lake, _check_warehouse):
        try:
            check(cloud)
        except TaxiError as problem:
            yield problem


@lru_cache(maxsize=8)  # of runs that passed; a run that did not pass is checked again
def preflight(cloud: Cloud) -> None:
    """Raise the first problem of a run that cannot succeed, before its first byte is sent. Asks Google once per run."""
    logger.info("%s: checking credentials, gs://%s and dataset %s", cloud.project, cloud.bucket, cloud.dataset)
    for problem in problems(cloud):
        raise problem


def _check_lake(cloud: Cloud) -> None:
    subject = f"bucket {cloud.bucket}"
    bucket = find_bucket(cloud)
    if bucket is None:
        raise CloudNotReady(subject, "there is no such bucket", _CREATE_IT)
    with google_errors(subject):
        granted = bucket.test_iam_permissions(NEEDED, **cloud.storage_options(subject))
    missing = [permission for permission in NEEDED if permission not in granted]
    if missing:
        raise CloudRefused(subject, f"the account lacks {', '.join(missing)} there", advice_for(missing))


def _check_warehouse(cloud: Cloud) -> None:
    from google.cloud import bigquery

    subject = f"dataset {cloud.dataset}"
    if find_dataset(cloud) is None:
        raise CloudNotReady(subject, "there is no such dataset", _CREATE_IT)
    subject = f"BigQuery in {cloud.project}"
    with google_errors(subject):
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        cast("Any", cloud.bigquery).query("select 1", config, **cloud.bigquery_options(subject))

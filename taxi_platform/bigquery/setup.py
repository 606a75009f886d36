"""Making the bucket and the dataset where they are missing; what is there stays as it is. Knows nothing of Dagster."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake_file import STAGING
from taxi_platform.bigquery.patience import PATIENT
from taxi_platform.bigquery.places import find_bucket, find_dataset, not_ours
from taxi_platform.errors import CloudNotReady

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

Log = Callable[[str], None]
LABELS = {"app": "taxi_platform"}
STAGING_DAYS = 1  # a load is done within the hour with what it has staged
DESCRIPTION = "NYC taxi trips, loaded by taxi_platform: every row of every file exactly once."


@dataclass(frozen=True)
class SetUp:
    """What is there now.

    Attributes:
        bucket: the bucket's address.
        dataset: the dataset's full name.
        location: where both lie.
        made_bucket: whether the bucket was made just now.
        made_dataset: whether the dataset was.
    """

    bucket: str
    dataset: str
    location: str
    made_bucket: bool
    made_dataset: bool


def set_up(cloud: Cloud, log: Log) -> SetUp:
    """Make the bucket and the dataset where they are missing. Doing so twice, or twice at once, changes nothing.

    Raises:
        CloudNotReady: one of them lies in another location, the bucket's name is somebody else's, or there is no such
            project.
        CloudRefused: a role is missing; the message names it.
        CloudUnavailable: Google does not answer.
    """
    return SetUp(
        bucket=f"gs://{cloud.bucket}",
        dataset=f"{cloud.project}.{cloud.dataset}",
        location=cloud.location,
        made_bucket=_ensure_bucket(cloud, log),
        made_dataset=_ensure_dataset(cloud, log),
    )


def _ensure_bucket(cloud: Cloud, log: Log) -> bool:
    from google.api_core.exceptions import Conflict

    subject = f"bucket {cloud.bucket}"
    if find_bucket(cloud, log):
        log(f"{subject}: it is there, in {cloud.location}")
        return False
    with asking(subject):
        try:
            cast("Any", cloud.storage).create_bucket(
                _new_bucket(cloud),
                project=cloud.project,
                location=cloud.location,
                retry=PATIENT.retry(subject, log),
                timeout=PATIENT.timeouts,
            )
        except Conflict:
            if find_bucket(cloud, log) is None:
                raise not_ours(cloud) from None
            log(f"{subject}: another run has made it at the same time")
            return False
    log(f"{subject}: made, in {cloud.location}")
    return True


def _new_bucket(cloud: Cloud) -> "storage.Bucket":
    bucket: Any = cloud.storage.bucket(cloud.bucket)
    bucket.storage_class = "STANDARD"
    bucket.labels = LABELS
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.add_lifecycle_delete_rule(age=STAGING_DAYS, matches_prefix=[STAGING])
    return bucket


def _ensure_dataset(cloud: Cloud, log: Log) -> bool:
    from google.api_core.exceptions import Conflict

    subject = f"dataset {cloud.dataset}"
    if find_dataset(cloud, log):
        log(f"{subject}: it is there, in {cloud.location}")
        return False
    with asking(subject):
        try:
            cast("Any", cloud.bigquery).create_dataset(
                _new_dataset(cloud), retry=PATIENT.retry(subject, log), timeout=PATIENT.read_timeout
            )
        except Conflict:
            if find_dataset(cloud, log) is None:
                raise CloudNotReady(subject, "somebody makes and removes it just now", "Run it again.") from None
            log(f"{subject}: another run has made it at the same time")
            return False
    log(f"{subject}: made, in {cloud.location}")
    return True


def _new_dataset(cloud: Cloud) -> "bigquery.Dataset":
    from google.cloud import bigquery

    dataset: Any = bigquery.Dataset(f"{cloud.project}.{cloud.dataset}")
    dataset.location = cloud.location
    dataset.labels = LABELS
    dataset.description = DESCRIPTION
    return dataset

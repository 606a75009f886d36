"""The bucket and the dataset as they are: finding them, and refusing those that lie elsewhere or are somebody else's.

Making them is the business of ``setup``, checking all that a run needs that of ``preflight``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.answers import asking, names_a_project
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.patience import PATIENT
from taxi_platform.errors import CloudNotReady

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

Log = Callable[[str], None]


def find_bucket(cloud: Cloud, log: Log) -> "storage.Bucket | None":
    """The bucket, if there is one of this name.

    Raises:
        CloudNotReady: it lies in another location, or it may be somebody else's.
        CloudRefused, CloudUnavailable: Google does not say.
    """
    from google.api_core.exceptions import Forbidden, NotFound

    subject = f"bucket {cloud.bucket}"
    with asking(subject):
        try:
            found = cast("Any", cloud.storage).get_bucket(
                cloud.bucket, retry=PATIENT.retry(subject, log), timeout=PATIENT.timeouts
            )
        except NotFound:
            return None
        except Forbidden as error:
            if "storage.buckets.get" in str(error):
                raise not_ours(cloud) from error
            raise
    _refuse_elsewhere(subject, found.location, cloud.location, "GCP_BUCKET_NAME")
    return cast("storage.Bucket", found)


def find_dataset(cloud: Cloud, log: Log) -> "bigquery.Dataset | None":
    """The dataset, if there is one of this name.

    Raises:
        CloudNotReady: it lies in another location, or there is no such project.
        CloudRefused, CloudUnavailable: Google does not say.
    """
    from google.api_core.exceptions import NotFound

    subject = f"dataset {cloud.dataset}"
    with asking(subject):
        try:
            found = cast("Any", cloud.bigquery).get_dataset(
                cloud.dataset, retry=PATIENT.retry(subject, log), timeout=PATIENT.read_timeout
            )
        except NotFound as error:
            if names_a_project(str(error)):
                raise
            return None
    _refuse_elsewhere(subject, found.location, cloud.location, "GCP_DATASET")
    return cast("bigquery.Dataset", found)


def not_ours(cloud: Cloud) -> CloudNotReady:
    """What to say of a bucket that exists and is not shown to us."""
    return CloudNotReady(
        f"bucket {cloud.bucket}",
        "there is such a bucket, but the account may not see it: the name is taken by somebody else, for the whole "
        "world shares these names, or a role is missing",
        f"Set GCP_BUCKET_NAME to another name, such as {cloud.project}-taxi-lake; "
        "if the bucket is yours, have the account granted roles/storage.legacyBucketReader.",
    )


def same_location(one: str, other: str) -> bool:
    """Whether two spellings mean the same place: Google writes ``EUROPE-WEST2`` here and ``europe-west2`` there."""
    return one.upper() == other.upper()


def _refuse_elsewhere(subject: str, location: str, wanted: str, setting: str) -> None:
    if not same_location(location, wanted):
        raise CloudNotReady(
            subject,
            f"it lies in {location}, and GCP_LOCATION is {wanted}; BigQuery loads only what lies where it works",
            f"Set GCP_LOCATION={location}, or {setting} to a new name: what lies in one place cannot be moved.",
        )

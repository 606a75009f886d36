"""Delete the bucket and the dataset, but only if everything in them was made by the platform.

Buckets, datasets and tables of the platform have the label ``app: taxi_platform``; objects have its metadata.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from taxi_platform.bigquery.clients import LABELS, Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.bigquery.lake import STAGING, trip_file_of, uri_of
from taxi_platform.bigquery.setup import find_bucket, find_dataset
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform.errors import CloudNotReady, InvalidRequest

_SHOWN = 5  # things that are not ours, in a message


@dataclass(frozen=True)
class Contents:
    """What a teardown deletes, as Google's clients describe it; a bucket or dataset that does not exist is None."""

    bucket: Any
    objects: Sequence[Any]
    dataset: Any
    tables: Sequence[Any]


def find_contents(cloud: Cloud) -> Contents:
    """Return what a teardown would delete.

    Raises:
        InvalidRequest: something was not made by the platform; the message names it.
    """
    storage, bigquery = cast("Any", cloud.storage), cast("Any", cloud.bigquery)
    bucket, dataset = find_bucket(cloud), find_dataset(cloud)
    with google_errors(f"bucket {cloud.bucket}"):
        objects = list(storage.list_blobs(cloud.bucket)) if bucket else []
    with google_errors(f"dataset {cloud.dataset}"):
        tables = list(bigquery.list_tables(dataset_of(cloud))) if dataset else []
    foreign = [
        *([f"bucket {cloud.bucket}"] if bucket and not _is_labelled(bucket) else []),
        *(uri_of(cloud.bucket, blob.name) for blob in objects if not _is_file_of_ours(cloud, blob)),
        *([f"dataset {cloud.dataset}"] if dataset and not _is_labelled(dataset) else []),
        *(f"table {table.table_id}" for table in tables if not _is_labelled(table)),
    ]
    if foreign:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        advice = "Move what you need, and delete it yourself, in the console or with gcloud."
        what = "not made by this platform, so nothing is deleted"
        raise InvalidRequest(", ".join(foreign[:_SHOWN]) + more, what, advice)
    return Contents(bucket, objects, dataset, tables)


def tear_down(cloud: Cloud, contents: Contents) -> None:
    """Delete what ``find_contents`` has found; if it fails, the next teardown deletes the rest.

    Raises:
        CloudRefused: something was added since, which keeps its bucket or dataset from being deleted.
    """
    bigquery = cast("Any", cloud.bigquery)
    with google_errors(f"dataset {cloud.dataset}"):
        for table in contents.tables:
            bigquery.delete_table(table, not_found_ok=True)
        if contents.dataset:
            bigquery.delete_dataset(contents.dataset, delete_contents=False, not_found_ok=True)
    with google_errors(f"bucket {cloud.bucket}"):
        for blob in contents.objects:
            blob.delete(if_generation_match=blob.generation)
        if contents.bucket:
            contents.bucket.delete()


def _is_labelled(resource: Any) -> bool:
    return LABELS.items() <= dict(resource.labels).items()


def _is_file_of_ours(cloud: Cloud, blob: Any) -> bool:
    try:
        return blob.name.startswith(STAGING) or bool(trip_file_of(cloud.bucket, blob))
    except CloudNotReady:
        return False

"""What has to be so before anything is sent to Google Cloud, asked once a run; ``taxi doctor`` asks the same."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.patience import PATIENT
from taxi_platform.bigquery.places import find_bucket, find_dataset
from taxi_platform.bigquery.roles import advice_for
from taxi_platform.errors import CloudNotReady, CloudRefused, TaxiError

Log = Callable[[str], None]
MAKE_IT = "The job gcp_setup makes it: `dagster job execute -j gcp_setup`."
NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")


def problems(cloud: Cloud, log: Log) -> Iterator[TaxiError]:
    """What stands in the way of uploads and loads, each with what to do; nothing, when all is well.

    Reads only, and costs nothing: credentials, the bucket, its location and what the account may do there, the
    dataset, its location, and whether the account may run jobs.
    """
    for check in (_credentials, _lake, _warehouse):
        try:
            check(cloud, log)
        except TaxiError as problem:
            yield problem
            if check is _credentials:
                return


def preflight(cloud: Cloud, run: str, log: Log) -> None:
    """Refuse a run that could not end well, before its first byte is sent. Asks Google once a run.

    Raises:
        TaxiError: the first problem.
    """
    log(f"{cloud.project}: checking credentials, gs://{cloud.bucket} and dataset {cloud.dataset}")
    _pass_once(cloud, run)


@lru_cache(maxsize=8)  # of runs that passed; those that did not are asked again
def _pass_once(cloud: Cloud, run: str) -> None:
    for problem in problems(cloud, log=lambda _: None):
        raise problem


def _credentials(cloud: Cloud, log: Log) -> None:
    """That there are some. Whether they are accepted shows at the first request."""
    _ = cloud.storage, cloud.bigquery


def _lake(cloud: Cloud, log: Log) -> None:
    subject = f"bucket {cloud.bucket}"
    bucket = cast("Any", find_bucket(cloud, log))
    if bucket is None:
        raise CloudNotReady(subject, "there is no such bucket", MAKE_IT)
    with asking(subject):
        granted = bucket.test_iam_permissions(NEEDED, retry=PATIENT.retry(subject, log), timeout=PATIENT.timeouts)
    missing = [permission for permission in NEEDED if permission not in granted]
    if missing:
        raise CloudRefused(subject, f"the account lacks {', '.join(missing)} there", advice_for(missing))


def _warehouse(cloud: Cloud, log: Log) -> None:
    subject = f"dataset {cloud.dataset}"
    if find_dataset(cloud, log) is None:
        raise CloudNotReady(subject, "there is no such dataset", MAKE_IT)
    from google.cloud import bigquery

    with asking(f"BigQuery in {cloud.project}"):
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        cast("Any", cloud.bigquery).query("select 1", config, retry=PATIENT.retry(subject, log))

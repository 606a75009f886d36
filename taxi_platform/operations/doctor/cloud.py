"""Google Cloud: the settings, the credentials, and all that a run asks about before it sends its first byte."""

from collections.abc import Iterator
from dataclasses import replace

from taxi_platform.bigquery.clients import Cloud, cloud_of
from taxi_platform.bigquery.names import problems_of_names
from taxi_platform.operations.doctor.findings import Finding, ok, problem_of
from taxi_platform.retries import ONCE
from taxi_platform.settings import CloudSettings, Settings

TIMEOUTS = (5.0, 10.0)  # seconds; a run would wait and repeat a request for minutes


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the settings, then at what Google says."""
    chosen = settings.cloud
    if chosen is None:
        yield ok("not configured (no GCP_…), so gcs/… and bigquery/… are not loaded")
        return
    wrong = _wrong_names(chosen)
    yield from wrong
    if not wrong:
        yield from _asked(replace(cloud_of(chosen), retries=ONCE, timeouts=TIMEOUTS))


def _wrong_names(chosen: CloudSettings) -> list[Finding]:
    """What is wrong with the names, all of it, where a run would stop at the first."""
    names = (chosen.project_id, chosen.location, chosen.bucket_name, chosen.dataset)
    return [problem_of(error) for error in problems_of_names(*names)] if chosen.is_complete else []


def _asked(cloud: Cloud) -> Iterator[Finding]:
    from taxi_platform.bigquery.setup import problems

    found = [problem_of(error) for error in problems(cloud)]
    yield from found
    if not found:
        yield ok(f"credentials, gs://{cloud.bucket} and the dataset {cloud.dataset} in {cloud.location} are in order")
    if cloud.storage_host or cloud.bigquery_host:
        hosts = " and ".join(filter(None, (cloud.storage_host, cloud.bigquery_host)))
        yield ok(f"this was a emulator's answer: {hosts}")

"""The project in Google Cloud that the settings name, and the official clients for it.

What is done with the clients does not belong here. Nothing is asked of Google, nor are credentials looked for, before
a client is used.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from taxi_platform.bigquery.credentials import credentials_of
from taxi_platform.bigquery.names import problems_of_names
from taxi_platform.errors import CloudNotConfigured
from taxi_platform.settings import CloudSettings

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import bigquery, storage


@dataclass(frozen=True)
class Cloud:
    """One project, with the bucket and the dataset that the platform uses there.

    Attributes:
        project: its id.
        location: where bucket and dataset lie, e.g. ``europe-west2`` or ``EU``.
        bucket: the bucket's name.
        dataset: the dataset's name, without the project.
        creds: as ``GCP_CREDS``; empty for application-default credentials.
        storage_host: a stand-in for Cloud Storage, e.g. ``http://127.0.0.1:9023``; it gets no credentials.
        bigquery_host: a stand-in for BigQuery, likewise.
    """

    project: str
    location: str
    bucket: str
    dataset: str
    creds: str = field(default="", repr=False)
    storage_host: str = ""
    bigquery_host: str = ""

    @cached_property
    def credentials(self) -> "Credentials":
        """What Google is shown.

        Raises:
            InvalidSetting, CloudNotConfigured, CloudRefused, CloudUnavailable: as ``credentials_of`` says.
        """
        return credentials_of(self.creds)

    @cached_property
    def storage(self) -> "storage.Client":
        """The client for Cloud Storage.

        Raises:
            InvalidSetting, CloudNotConfigured, CloudRefused, CloudUnavailable: there are no credentials.
        """
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        if self.storage_host:
            options = {"api_endpoint": _url(self.storage_host)}
            return storage.Client(self.project, AnonymousCredentials(), client_options=options)
        return storage.Client(self.project, self.credentials)

    @cached_property
    def bigquery(self) -> "bigquery.Client":
        """The client for BigQuery, which works in the location of the dataset.

        Raises:
            InvalidSetting, CloudNotConfigured, CloudRefused, CloudUnavailable: there are no credentials.
        """
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        if self.bigquery_host:
            options = {"api_endpoint": _url(self.bigquery_host)}
            return bigquery.Client(self.project, AnonymousCredentials(), location=self.location, client_options=options)
        return bigquery.Client(self.project, self.credentials, location=self.location)


def cloud_named(
    project_id: str,
    location: str,
    bucket_name: str,
    dataset: str,
    *,
    creds: str = "",
    storage_host: str = "",
    bigquery_host: str = "",
) -> Cloud:
    """The cloud that the settings name; no call is made.

    Raises:
        CloudNotConfigured: settings are missing; the message says which.
        InvalidSetting: a name is none that Google accepts.
    """
    named = {
        "GCP_PROJECT_ID": project_id,
        "GCP_LOCATION": location,
        "GCP_BUCKET_NAME": bucket_name,
        "GCP_DATASET": dataset,
    }
    missing = [name for name, value in named.items() if not value]
    if missing:
        there = [name for name in named if name not in missing]
        what = f"not set, while {', '.join(there)} {'is' if len(there) == 1 else 'are'}" if there else "not set"
        raise CloudNotConfigured(
            ", ".join(missing),
            what,
            "Google Cloud's assets and jobs need all four; see .env.example and docs/cloud.md.",
        )
    for problem in problems_of_names(project_id, location, bucket_name, dataset):
        raise problem
    return Cloud(project_id, location, bucket_name, dataset, creds, storage_host, bigquery_host)


def cloud_of(settings: CloudSettings | None) -> Cloud:
    """The cloud of these settings, if there are any; no call is made.

    Raises:
        CloudNotConfigured, InvalidSetting: as ``cloud_named`` says.
    """
    if settings is None:
        return cloud_named("", "", "", "")
    return cloud_named(
        settings.project_id,
        settings.location,
        settings.bucket_name,
        settings.dataset,
        creds=settings.creds.get_secret_value() if settings.creds else "",
        storage_host=settings.storage_host,
        bigquery_host=settings.bigquery_host,
    )


def _url(host: str) -> str:
    """A stand-in's address; people write it with and without the scheme."""
    return host if "://" in host else f"http://{host}"

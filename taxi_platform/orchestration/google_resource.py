"""The resource that hands out Google Cloud as the settings name it. Whether they do is said when it is used."""

import dagster as dg
from pydantic import Field

from taxi_platform.bigquery.clients import Cloud, cloud_named


class CloudResource(dg.ConfigurableResource[Cloud]):
    """The project in Google Cloud, with the bucket of the lake and the dataset of the warehouse."""

    project_id: str = Field(default="", description="The project's id, as GCP_PROJECT_ID.")
    location: str = Field(default="", description="Where bucket and dataset lie, as GCP_LOCATION.")
    bucket_name: str = Field(default="", description="The bucket of the lake, as GCP_BUCKET_NAME.")
    dataset: str = Field(default="", description="The dataset of the warehouse, as GCP_DATASET.")
    creds: str = Field(default="", description="A key, as GCP_CREDS; empty for application-default credentials.")
    storage_host: str = Field(default="", description="A stand-in for Cloud Storage, as STORAGE_EMULATOR_HOST.")
    bigquery_host: str = Field(default="", description="A stand-in for BigQuery, as BIGQUERY_EMULATOR_HOST.")

    def cloud(self) -> Cloud:
        """The project, as a domain object that knows nothing of Dagster; nothing is asked of Google yet.

        Raises:
            CloudNotConfigured, InvalidSetting: settings are missing, or are no names that Google accepts.
        """
        return cloud_named(
            self.project_id,
            self.location,
            self.bucket_name,
            self.dataset,
            creds=self.creds,
            storage_host=self.storage_host,
            bigquery_host=self.bigquery_host,
        )

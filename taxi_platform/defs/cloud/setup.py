"""The job that makes the bucket of the lake and the dataset of the warehouse."""

import dagster as dg

from taxi_platform.bigquery.setup import set_up
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.orchestration.monthly_io import errors_as_failures


@dg.op(out=dg.Out(dg.Nothing))
def make_bucket_and_dataset(context: dg.OpExecutionContext, google: CloudResource) -> None:
    """Make the bucket and the dataset that the settings name, where they are missing."""
    with errors_as_failures():
        done = set_up(google.cloud())
    context.add_output_metadata(
        {
            "bucket": done.bucket,
            "dataset": done.dataset,
            "location": done.location,
            "made_bucket": done.made_bucket,
            "made_dataset": done.made_dataset,
        }
    )


@dg.job(
    name="gcp_setup",
    description="Makes the bucket and the dataset in Google Cloud that the settings name, where they are missing, and "
    "refuses those that lie in another location.",
)
def gcp_setup() -> None:
    """One step: both are made, or the run says what stands in the way."""
    make_bucket_and_dataset()

"""``taxi gcp-teardown``: shows what the platform has made in Google Cloud, and deletes it if the user confirms."""

import click

from taxi_platform.bigquery.clients import cloud_of
from taxi_platform.bigquery.teardown import find_contents, tear_down
from taxi_platform.settings import settings


def run_gcp_teardown() -> None:
    """Show what is to be deleted, ask, and delete it.

    Raises:
        InvalidRequest: something in the bucket or in the dataset was not made by the platform.
        CloudNotConfigured: the settings do not name a project.
    """
    cloud = cloud_of(settings().cloud)
    contents = find_contents(cloud)
    if contents.bucket:
        size = sum(blob.size or 0 for blob in contents.objects) / 2**20
        click.echo(f"bucket gs://{cloud.bucket} with {len(contents.objects)} objects, {size:,.1f} MiB")
    if contents.dataset:
        tables = ", ".join(table.table_id for table in contents.tables)
        click.echo(f"dataset {cloud.project}.{cloud.dataset} with {len(contents.tables)} tables: {tables}")
    if not contents.bucket and not contents.dataset:
        click.echo(f"Project {cloud.project} has neither bucket {cloud.bucket} nor dataset {cloud.dataset}.")
        return
    click.confirm("Delete all of this?", abort=True)
    tear_down(cloud, contents)
    click.echo("Deleted. Dagster still has its records of the months; taxi status --cloud shows that they are gone.")

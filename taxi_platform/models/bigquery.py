"""BigQuery as the place where the models are built: the project and the dataset of the cloud's settings."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from taxi_platform.bigquery import schema
from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.tables import Tables
from taxi_platform.errors import NotLoaded
from taxi_platform.models.targets import Target
from taxi_platform.trips import zones
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

Log = Callable[[str], None]

BIGQUERY = "bigquery"
NO_TOKEN = "none"  # noqa: S105 - what a stand-in is shown, which asks for no credentials


@contextmanager
def bigquery_target(cloud: Cloud, log: Log, *, only_look: bool = False) -> Generator[Target]:
    """The dataset of the trips.

    Args:
        cloud: the project and its dataset.
        log: where progress is told.
        only_look: whether nothing is built, so that nothing has to be there.

    Raises:
        NotLoaded: the zone lookup is not there.
        SchemaMismatch: there is a table of a service's name which is not ours.
        InvalidSetting, CloudNotConfigured, CloudNotReady, CloudRefused, CloudUnavailable: as they say.
    """
    variables = bigquery_variables(cloud)
    if not only_look:
        prepare_bigquery(cloud, log)

    def count(model: str, months: Sequence[Month]) -> Mapping[Month, int]:
        return _count(cloud, model, months)

    yield Target(BIGQUERY, (BIGQUERY,), variables, count)


def bigquery_variables(cloud: Cloud) -> Mapping[str, str]:
    """What dbt needs to work in the project: an hour's token, whatever kind of credentials it comes from."""
    return {
        "TAXI_DBT_PROJECT": cloud.project,
        "TAXI_DBT_DATASET": cloud.dataset,
        "TAXI_DBT_LOCATION": cloud.location,
        "TAXI_DBT_API_ENDPOINT": _endpoint(cloud),
        "DBT_ENV_SECRET_TAXI_TOKEN": NO_TOKEN if cloud.bigquery_host else _token(cloud),
    }


def prepare_bigquery(cloud: Cloud, log: Log) -> None:
    """Have every table that the models read, if need be without a row: of a service, no month may be loaded yet.

    Raises:
        as ``bigquery_target`` does.
    """
    tables = Tables(cloud, log)
    for service in SERVICES.values():
        fields, sorted_by = schema.trip_fields(service), schema.clustering(service)
        tables.ensure(schema.table_of(cloud, service), fields, sorted_by, service.description)
    lookup = f"{schema.dataset_of(cloud)}.{zones.TABLE}"
    if tables.find(lookup) is None:
        raise NotLoaded(
            lookup,
            "the models need the zones, and they are not loaded",
            f"Run `dagster asset materialize --select {BIGQUERY}/{zones.TABLE}` first.",
        )


def _endpoint(cloud: Cloud) -> str:
    host = cloud.bigquery_host
    return host if not host or "://" in host else f"http://{host}"


def _token(cloud: Cloud) -> str:
    from google.auth.transport.requests import Request

    with asking("Google Cloud's credentials"):
        credentials = cast("Any", cloud.credentials)
        credentials.refresh(Request())
        return credentials.token


def _count(cloud: Cloud, model: str, months: Sequence[Month]) -> Mapping[Month, int]:
    if not months:
        return {}
    days = ", ".join(f"DATE '{schema.first_day(month)}'" for month in months)
    table = f"{schema.dataset_of(cloud)}.{model}"
    query = f"SELECT file_month, COUNT(*) FROM `{table}` WHERE file_month IN ({days}) GROUP BY 1"
    with asking(f"table {table}"):
        rows = cast("Any", cloud.bigquery).query_and_wait(query)
        found = {Month(day.year, day.month): count for day, count in rows}
    return {month: found.get(month, 0) for month in months}

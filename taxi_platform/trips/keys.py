"""Which assets of a service one run brings up to date. Pure."""

from taxi_platform.trips.services import Service

HERE = ("raw", "")  # the verified file, and the table in PostgreSQL
IN_THE_CLOUD = ("gcs", "bigquery")  # the object in the lake, and the table in the warehouse


def assets_of(service: Service, *, cloud: bool) -> list[list[str]]:
    """The keys of all assets that a month of a service is loaded into, its file first.

    Args:
        service: whose trips.
        cloud: whether Google Cloud is configured, so that its branch is loaded too.
    """
    places = (*HERE, *IN_THE_CLOUD) if cloud else HERE
    return [[place, service.table] if place else [service.table] for place in places]

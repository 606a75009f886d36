"""Which assets of a service one run brings up to date. Pure."""

from taxi_platform.services import Service


def assets_of(service: Service, *, cloud: bool) -> list[list[str]]:
    """The keys of all assets that a month of a service is loaded into, its file first.

    Args:
        service: whose trips.
        cloud: whether Google Cloud is configured, so that its branch is loaded too.
    """
    places = [["raw"], [], ["gcs"], ["bigquery"]] if cloud else [["raw"], []]
    return [[*place, service.table] for place in places]

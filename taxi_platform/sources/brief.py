"""One question to a source with little patience, where a load would ask again for minutes."""

from taxi_platform.sources.choose import source_named
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0


def ask_briefly(source: str, service: Service, month: Month) -> SourceVersion:
    """What a ``TAXI_SOURCE`` says of a month's file.

    Raises:
        TaxiError: as ``Source.version`` and ``source_named``, at the first try.
    """
    if "://" in source:
        from taxi_platform.sources.http.retries import Retries
        from taxi_platform.sources.http.source import HttpSource

        retries = Retries(attempts=1)
        asked = HttpSource(source, retries=retries, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    else:
        asked = source_named(source)
    return asked.version(asked.trips(service, month))

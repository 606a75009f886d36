"""The source: whether it answers, and has the first month."""

from collections.abc import Iterator

from taxi_platform.errors import NotPublished, SourceUnreachable
from taxi_platform.operations.doctor.findings import Finding, ok, problem
from taxi_platform.settings import Settings
from taxi_platform.sources.brief import ask_briefly
from taxi_platform.sources.http.addresses import public
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SMALLEST

SAMPLE = "TAXI_SOURCE=sample makes trips without a network."


def examine(settings: Settings) -> Iterator[Finding]:
    """Ask once for a month, with little patience."""
    month = month_range(settings, SMALLEST)[0]
    try:
        version = ask_briefly(settings.source, SMALLEST, month)
    except SourceUnreachable as error:
        yield problem(error.what, f"Check the network and TAXI_SOURCE. {SAMPLE}")
    except NotPublished as error:
        yield problem(f"{error.what}, which is the first month", f"Check TAXI_SOURCE and TAXI_FIRST_MONTH. {SAMPLE}")
    else:
        size = f", {version.bytes:,} bytes" if version.bytes else ""
        yield ok(f"{public(settings.source)} has {SMALLEST.file_name(month)}{size}")

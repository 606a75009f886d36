"""The labels of a run: the tags by which people find it, which docs/triggers.md describes. Pure.

Schedules, sensors and backfills set the labels of their runs. Other runs are labelled when their assets start, by
``defs/trips``.
"""

from collections.abc import Mapping, Sequence

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

TAXI = "taxi"  # whose trips: ``green``, or of several services ``green,yellow``
FILE = "file"  # which files: ``green_tripdata_2019-03.csv``; of a range the first and the last, ``...`` between them
BACKFILL = "backfill"  # ``true`` if the run loads past months, else absent
TRIGGER = "trigger"  # what started it: ``schedule:…``, ``sensor:…``, ``backfill`` or ``manual``
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Dagster's own tags for a run of a month range: its first and its last month."""

# The trigger by the tag that Dagster gives a run. A sensor's run may also belong to a backfill, so the order decides.
_TRIGGERS = {
    "dagster/backfill": "backfill",
    "dagster/schedule_name": "schedule:{}",
    "dagster/sensor_name": "sensor:{}",
}


def range_tags(first: Month, last: Month) -> dict[str, str]:
    """Return Dagster's own tags for a run of every month from ``first`` to ``last``."""
    return dict(zip(RANGE_TAGS, (str(first), str(last)), strict=True))


def run_labels(
    service: Service, first: Month, last: Month | None = None, *, trigger: str, backfill: bool = False
) -> dict[str, str]:
    """Return the tags of a run for one month, or for every month from ``first`` to ``last``."""
    labels = {TAXI: service.name, FILE: _files(service, first, last or first), TRIGGER: trigger}
    return {**labels, BACKFILL: "true"} if backfill else labels


def lacking_labels(tags: Mapping[str, str], service: Service, months: Sequence[Month]) -> dict[str, str]:
    """Return the tags that are missing or wrong on a run that loads these months of a service.

    A run may load several services, so the tags keep what they say about others. What they say about this service's
    files is replaced: Dagster gives every run of a backfill the tags of the whole backfill.
    """
    known = {name: list(filter(None, tags.get(name, "").split(","))) for name in (TAXI, FILE)}
    others = [text for text in known[FILE] if not text.startswith(f"{service.table}_")]
    wanted = {
        TAXI: ",".join(sorted({*known[TAXI], service.name})),
        FILE: ",".join(sorted([*others, _files(service, months[0], months[-1])])),
        TRIGGER: tags.get(TRIGGER)
        or next((text.format(tags[name]) for name, text in _TRIGGERS.items() if name in tags), "manual"),
    }
    if "dagster/backfill" in tags or len(months) > 1:
        wanted[BACKFILL] = "true"
    return {name: value for name, value in wanted.items() if tags.get(name) != value}


def _files(service: Service, first: Month, last: Month) -> str:
    name = service.file_name(first)
    return name if last == first else f"{name}...{service.file_name(last)}"

"""The labels of a run: the tags by which people find it. Pure.

Schedules, sensors and backfills set the labels of their runs. Other runs are labelled when their assets start, by
``defs/trips``.

| tag | meaning | for example |
|---|---|---|
| `taxi` | whose trips | `green`; of several services `green,yellow` |
| `file` | which files | `green_tripdata_2019-03.csv`; of a range the first and the last, with `...` between them |
| `backfill` | that the run makes up for the past | `true`, or absent |
| `trigger` | what started it | `schedule:green_monthly_schedule`, `sensor:landing_sensor`, `backfill`, `manual` |
"""

from collections.abc import Mapping, Sequence

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

TAXI = "taxi"
FILE = "file"
BACKFILL = "backfill"
TRIGGER = "trigger"

MANUAL = "manual"
BY_BACKFILL = "backfill"

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Dagster's own tags for a run of a month range: its first and its last month."""

# Tags that Dagster gives a run itself. A sensor's is there beside the next one, so the order decides.
_SCHEDULE = "dagster/schedule_name"
_SENSOR = "dagster/sensor_name"
_BACKFILL = "dagster/backfill"


def by_schedule(name: str) -> str:
    """Return the trigger of runs that a schedule starts, e.g. ``schedule:green_monthly_schedule``."""
    return f"schedule:{name}"


def by_sensor(name: str) -> str:
    """Return the trigger of runs that a sensor starts, e.g. ``sensor:new_month_sensor``."""
    return f"sensor:{name}"


def files_label(service: Service, first: Month, last: Month | None = None) -> str:
    """Return the tag ``file`` of one month, or of every month from ``first`` to ``last``."""
    name = service.file_name(first)
    return name if last in (None, first) else f"{name}...{service.file_name(last)}"


def run_labels(
    service: Service, first: Month, last: Month | None = None, *, trigger: str, backfill: bool = False
) -> dict[str, str]:
    """Return the tags of a run for one month, or for every month from ``first`` to ``last``.

    The trigger is ``MANUAL``, ``BY_BACKFILL``, or what ``by_schedule`` and ``by_sensor`` return. ``backfill`` says that
    the run makes up for the past.
    """
    labels = {TAXI: service.name, FILE: files_label(service, first, last), TRIGGER: trigger}
    return {**labels, BACKFILL: "true"} if backfill else labels


def lacking_labels(tags: Mapping[str, str], service: Service, months: Sequence[Month]) -> dict[str, str]:
    """Return the tags that are missing or wrong on a run that loads these months of a service.

    A run may load several services, one asset after the other, so the tags keep what they say about others. What they
    say about this service's files is replaced: Dagster gives every run of a backfill the tags of the whole backfill.
    """
    files = [text for text in _listed(tags, FILE) if not text.startswith(f"{service.table}_")]
    wanted = {
        TAXI: ",".join(sorted({*_listed(tags, TAXI), service.name})),
        FILE: ",".join(sorted([*files, files_label(service, months[0], months[-1])])),
        TRIGGER: tags.get(TRIGGER) or _trigger(tags),
    }
    if _BACKFILL in tags or len(months) > 1:
        wanted[BACKFILL] = "true"
    return {name: value for name, value in wanted.items() if tags.get(name) != value}


def _listed(tags: Mapping[str, str], name: str) -> list[str]:
    return list(filter(None, tags.get(name, "").split(",")))


def _trigger(tags: Mapping[str, str]) -> str:
    if _BACKFILL in tags:
        return BY_BACKFILL
    if _SCHEDULE in tags:
        return by_schedule(tags[_SCHEDULE])
    return by_sensor(tags[_SENSOR]) if _SENSOR in tags else MANUAL

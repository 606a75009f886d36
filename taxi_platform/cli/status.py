"""``taxi status``: the state of every month of every service, as a grid for people or as JSON for programs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from taxi_platform.ledger.event_metadata import dollars
from taxi_platform.ledger.record import MonthRecord, State
from taxi_platform.settings import settings
from taxi_platform.trips.keys import warehouse_key
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.services import SERVICES

MonthsByService = Mapping[str, Mapping[Month, MonthRecord]]
"""What is known about every month, by service."""
Billed = Mapping[str, Mapping[Month, int]]
"""The bytes that BigQuery billed for the loads of each month, by service."""

# The letter of each state, so that nobody has to tell colours apart, and its colour.
_LETTERS: Mapping[State, tuple[str, str]] = {
    "materialized": ("M", "green"),
    "failed": ("F", "red"),
    "file changed": ("C", "yellow"),
    "in progress": ("P", "cyan"),
    "missing": (".", "bright_black"),
}


def show_status(*, as_json: bool, ask_source: bool, ask_cloud: bool = False) -> None:
    """Print the state of every month; if BigQuery is asked, also what it holds and what its loads cost."""
    from taxi_platform.bigquery.clients import cloud_of
    from taxi_platform.ledger.events import bytes_billed, daemon_is_alive
    from taxi_platform.ledger.reading import read_months
    from taxi_platform.orchestration.storage import open_instance

    every_service = list(SERVICES.values())
    warehouse = cloud_of(settings().cloud) if ask_cloud else None
    billed: Billed = {}
    in_cloud: MonthsByService | None = None
    with open_instance() as instance:
        ledger = read_months(instance, every_service, ask_source=ask_source, inspect=True)
        services = ledger.shown()
        if settings().has_cloud:
            in_cloud = read_months(
                instance, every_service, destination="bigquery", warehouse=warehouse, ask_source=ask_source
            ).shown()
        if ask_cloud:
            billed = {one.name: bytes_billed(instance, warehouse_key(one.table)) for one in every_service}
        if as_json:
            data = as_data(services, ledger.remarks, daemon=daemon_is_alive(instance))
            if in_cloud is not None:
                data["bigquery"] = {name: _service_data(months, billed.get(name)) for name, months in in_cloud.items()}
            click.echo(json.dumps(data, indent=2))
            return
    _print_grid(services)
    for line in summary(services, ledger.remarks):
        click.echo(line)
    if in_cloud is not None:
        click.echo("\nBigQuery")
        _print_grid(in_cloud)
        for line in [*summary(in_cloud, ()), *costs(billed)]:
            click.echo(line)


def as_data(services: MonthsByService, remarks: Sequence[str], *, daemon: bool) -> dict[str, Any]:
    """Return what ``--json`` prints. ``docs/backfills.md`` describes it; the names do not change."""
    return {
        "daemon_is_alive": daemon,
        "remarks": list(remarks),
        "services": {name: _service_data(months) for name, months in services.items()},
    }


def _service_data(months: Mapping[Month, MonthRecord], billed: Mapping[Month, int] | None = None) -> dict[str, Any]:
    return {
        "rows": sum(record.rows for record in months.values()),
        "file_bytes": sum(record.file_bytes for record in months.values()),
        "last_run": _iso(_last_run(months.values())),
        "months": {str(month): _month_data(record) for month, record in months.items()},
        **({} if billed is None else {"bytes_billed": {str(month): billed[month] for month in sorted(billed)}}),
    }


def costs(billed: Billed) -> list[str]:
    """Return the lines that say what BigQuery billed for the loads of each month, and for all of them."""
    sizes = {f"{name:<7}{month}": months[month] for name, months in billed.items() for month in sorted(months)}
    if sizes:
        sizes["all recorded loads"] = sum(sizes.values())
    return [f"{what:<18}{size / 2**20:>12,.1f} MiB billed  ${dollars(size):,.4f}" for what, size in sizes.items()]


def summary(services: MonthsByService, remarks: Sequence[str]) -> list[str]:
    """Return the lines under the grid: the sums of each service, and the notes that the letters cannot show."""
    lines: list[str] = []
    noted: dict[tuple[str, str], list[Month]] = defaultdict(list)
    for name, months in services.items():
        rows = sum(record.rows for record in months.values())
        size = sum(record.file_bytes for record in months.values()) / 2**20
        last = _last_run(months.values())
        last_run = last.astimezone().strftime("%Y-%m-%d %H:%M") if last else "never"
        lines.append(f"{name:<7}{rows:>14,} rows {size:>10,.1f} MiB of files   last run {last_run}")
        for month, record in months.items():
            if record.note:
                noted[name, f"{record.state}: {record.note}"].append(month)
            if record.loaded and record.loaded.changed_by_hand:
                noted[name, "changed by hand: its next load, or taxi backfill with --all, replaces it"].append(month)
    return [*lines, *(f"{name} {spans(months)} {note}" for (name, note), months in noted.items()), *remarks]


def _month_data(record: MonthRecord) -> dict[str, Any]:
    last = record.last_run
    return {
        "state": record.state,
        "rows": record.rows,
        "file_bytes": record.file_bytes,
        "run_id": last.run_id if last else None,
        "at": _iso(last.at if last else None),
        "note": record.note,
        "is_partition": record.is_partition,
        "changed_by_hand": bool(record.loaded and record.loaded.changed_by_hand),
    }


def _last_run(records: Iterable[MonthRecord]) -> datetime | None:
    return max((record.last_run.at for record in records if record.last_run and record.last_run.at), default=None)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _print_grid(services: MonthsByService) -> None:
    """Print a line for each year and service, with a letter for each month; none if it is not a partition."""
    click.echo(f"year  service  {'  '.join(f'{month:02d}' for month in range(1, 13))}  {'rows':>14}")
    for year in sorted({month.year for months in services.values() for month in months}):
        label = str(year)
        for name, months in services.items():
            of_year = [months.get(Month(year, month)) for month in range(1, 13)]
            letters = (click.style(*_LETTERS[record.state]) if record else " " for record in of_year)
            rows = sum(record.rows for record in of_year if record)
            click.echo(f"{label:<4}  {name:<7}   {'   '.join(letters)}  {rows:>14,}")
            label = ""
    used = {record.state for months in services.values() for record in months.values()}
    click.echo("  ".join(f"{letter} {state}" for state, (letter, _) in _LETTERS.items() if state in used))

"""``taxi status``: the state of every month of every service, as a grid for people or as JSON for programs."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from taxi_platform.ledger.states import MonthState, State
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from taxi_platform.ledger.facts import Picture

Say = Callable[[str], object]

# What stands for a state in the grid: a letter, so that nobody has to tell colours apart, and a colour.
_MARKS: Mapping[State, tuple[str, str]] = {
    "materialized": ("M", "green"),
    "failed": ("F", "bold red"),
    "file changed": ("C", "bold yellow"),
    "in progress": ("P", "cyan"),
    "missing": (".", "dim"),
}


def show_status(say: Say, *, as_json: bool, ask_source: bool) -> None:
    """Find out the state of every month, and tell it.

    Raises:
        SourceUnreachable, AccessDenied: the source was to be asked, and does not answer.
    """
    import dagster as dg

    from taxi_platform.ledger import backfills as queue
    from taxi_platform.ledger.facts import take_picture

    with dg.DagsterInstance.get() as instance:
        picture = take_picture(instance, list(SERVICES.values()), ask_source=ask_source)
        if as_json:
            say(json.dumps(as_data(picture, daemon=queue.daemon_is_alive(instance)), indent=2))
            return
        _print_grid(picture)
        for line in summary(picture):
            say(line)


def as_data(picture: "Picture", *, daemon: bool) -> dict[str, Any]:
    """The picture as JSON has it; ``docs/backfills.md`` describes it, and names stay as they are."""
    return {
        "daemon_is_alive": daemon,
        "remarks": list(picture.remarks),
        "services": {
            name: {
                "rows": sum(one.rows for one in states.values()),
                "file_bytes": sum(one.file_bytes for one in states.values()),
                "last_run": _moment(_last(states.values())),
                "months": {str(month): _month_data(one, picture) for month, one in states.items()},
            }
            for name, states in picture.states.items()
        },
    }


def summary(picture: "Picture") -> list[str]:
    """The lines under the grid: each service in sum, and what its letters do not say."""
    lines = [
        f"{name:<7}{sum(one.rows for one in states.values()):>14,} rows "
        f"{sum(one.file_bytes for one in states.values()) / 2**20:>10,.1f} MiB of files   last run {_told(states)}"
        for name, states in picture.states.items()
    ]
    noted: dict[tuple[str, str], list[Month]] = defaultdict(list)
    for name, states in picture.states.items():
        for month, one in states.items():
            if one.note:
                noted[name, f"{one.state}: {one.note}"].append(month)
    lines += [f"{name} {spans(months)} {note}" for (name, note), months in noted.items()]
    return [*lines, *picture.remarks]


def _month_data(one: MonthState, picture: "Picture") -> dict[str, Any]:
    return {
        "state": one.state,
        "rows": one.rows,
        "file_bytes": one.file_bytes,
        "run_id": one.run_id,
        "at": _moment(one.at),
        "note": one.note,
        "is_partition": one.month in picture.partitions[one.service],
    }


def _last(states: Iterable[MonthState]) -> datetime | None:
    return max((one.at for one in states if one.at), default=None)


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _told(states: Mapping[Month, MonthState]) -> str:
    last = _last(states.values())
    return last.astimezone().strftime("%Y-%m-%d %H:%M") if last else "never"


def _print_grid(picture: "Picture") -> None:
    from rich.console import Console

    console = Console()
    console.print(grid(picture))
    used = {one.state for states in picture.states.values() for one in states.values()}
    console.print("  ".join(f"{mark} {state}" for state, (mark, _) in _MARKS.items() if state in used), highlight=False)


def grid(picture: "Picture") -> "Table":
    """One line a year and service, one column a month; empty where a month is no partition."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("year")
    table.add_column("service")
    for month in range(1, 13):
        table.add_column(f"{month:02d}", justify="center")
    table.add_column("rows", justify="right")
    years = sorted({month.year for states in picture.states.values() for month in states})
    for year in years:
        for number, (name, states) in enumerate(picture.states.items()):
            of_year = [states.get(Month(year, month)) for month in range(1, 13)]
            rows = sum(one.rows for one in of_year if one)
            table.add_row("" if number else str(year), name, *map(_cell, of_year), f"{rows:,}")
    return table


def _cell(one: MonthState | None) -> "Text":
    from rich.text import Text

    return Text(*_MARKS[one.state]) if one else Text("")

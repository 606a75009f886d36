"""How far a backfill is: a bar on a terminal, a line a month elsewhere."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taxi_platform.operations.backfill.watch import Arrival

Show = Callable[[Sequence["Arrival"]], None]
Say = Callable[[str], object]


@contextmanager
def progress(months: int, say: Say) -> Generator[Show]:
    """Shows months as they come into place, of so many in all."""
    if not sys.stdout.isatty():
        yield lambda arrivals: _list(arrivals, say)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]:>12,} rows {task.fields[rate]:>9,}/s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("waiting", total=months, rows=0, rate=0)
        arrived: list[Arrival] = []

        def show(arrivals: Sequence["Arrival"]) -> None:
            arrived.extend(arrivals)
            if arrivals:
                last = arrivals[-1]
                name = f"{last.service} {last.month}"
                rows = sum(one.rows for one in arrived)
                bar.update(task, completed=len(arrived), description=name, rows=rows, rate=rate(arrived))

        yield show


def rate(arrived: Sequence["Arrival"]) -> int:
    """Rows a second from the beginning of the first load to the end of the last."""
    if not arrived:
        return 0
    begin = min(one.at - one.seconds for one in arrived)
    seconds = max(one.at for one in arrived) - begin
    return round(sum(one.rows for one in arrived if not one.unchanged) / max(seconds, 0.001))


def _list(arrivals: Sequence["Arrival"], say: Say) -> None:
    for one in arrivals:
        how = "there already" if one.unchanged else f"in {one.seconds:.2f} s"
        say(f"  {one.service:<7}{one.month}  {one.rows:>12,} rows {how}")

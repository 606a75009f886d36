"""Markdown for Dagster's UI: tables and pictures."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

MOST = 20  # rows of a table: a preview, not a copy
_LONGEST = 80  # characters of a cell


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], most: int = MOST) -> str:
    """The first rows as a table, and how many more there are."""
    from tabulate import tabulate

    cells = [[_cell(value) for value in row] for row in rows]
    text = tabulate(cells[:most], [_cell(name) for name in columns], tablefmt="pipe", disable_numparse=True)
    more = len(cells) - most
    return f"{text}\n\n… and {more:,} more" if more > 0 else text


def picture(svg: str, title: str) -> str:
    """A picture that is part of the text."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _cell(value: Any) -> str:
    """A value in one line, with nothing in it that would end the cell."""
    text = "" if value is None or value != value else f"{value:,}" if isinstance(value, int | float) else str(value)
    text = " ".join(text.split())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    for character in "\\|<`":
        shown = shown.replace(character, f"\\{character}")
    return shown

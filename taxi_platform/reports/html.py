"""The parts of a page, and the page as one HTML file that needs neither a network nor a script.

What a page says is decided in ``pages`` and ``panels``; how it looks, in ``charts``, ``page.html.jinja`` and
``page.css``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from taxi_platform.reports.charts import Chart, markdown_picture, stylesheet, svg


class Table(NamedTuple):
    """A table: the first column names the row, the first ``texts`` columns are texts, and the others are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


@dataclass(frozen=True)
class Panel:
    """One chart of a figure."""

    title: str
    colour: str  # its name in the palette
    headline: str  # the most important number
    draw: Callable[[], Chart]

    @cached_property
    def drawing(self) -> str:
        """The chart as an SVG."""
        return svg(self.draw())


@dataclass(frozen=True)
class Figure:
    """Charts of the same kind under one heading, and the numbers that they show."""

    name: str  # its anchor in the page
    title: str
    note: str  # how to read it
    panels: Sequence[Panel]
    table: Table
    layout: Literal["beside", "below"] = "beside"  # how the charts stand where there is room for both

    @property
    def preview(self) -> str:
        """The charts as Markdown, for Dagster's UI."""
        return "\n\n".join(f"{panel.title}\n\n{markdown_picture(panel.drawing, self.title)}" for panel in self.panels)


class Tile(NamedTuple):
    """A number in large type, with what it counts and what it is compared with."""

    name: str
    number: str
    remark: str = ""


class Notice(NamedTuple):
    """Something to know before believing the figures, and the command that helps."""

    text: str
    command: str = ""


class HomeworkAnswer(NamedTuple):
    """A question with its answer, or with the command that loads what the answer needs."""

    question: str
    answer: str = ""
    command: str = ""
    remark: str = ""


class Page(NamedTuple):
    """A page from top to bottom. Its links are pairs of a text and the name of a file in the same folder."""

    title: str
    lead: str
    links: Sequence[tuple[str, str]]
    notices: Sequence[Notice]
    tiles: Sequence[Tile]
    figures: Sequence[Figure]
    answers: Sequence[HomeworkAnswer]
    footer: Sequence[str]


def html(page: Page) -> str:
    """Return the text of the page's file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("taxi_platform.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html.jinja").render(page=page, colours=stylesheet())

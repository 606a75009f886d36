"""A page of pictures and tables: one HTML file that needs nothing else, neither a network nor a script.

Pure: what the pictures are of belongs in ``report``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from taxi_platform.reports.drawing import as_wide_as_the_page, panel, png
from taxi_platform.reports.palette import stylesheet

if TYPE_CHECKING:
    from jinja2 import Environment

Chart = Any  # Altair's, which is imported only when something is drawn
Layout = Literal["beside", "below"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what it says.
        is_number: whether it stands under others of its kind, digit under digit.
    """

    text: str
    is_number: bool = False


def number(text: str) -> Cell:
    """A cell that is a number."""
    return Cell(text, is_number=True)


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes:
        columns: the headings; the first column names the row.
        rows: the cells; a plain text is a cell, too.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]


@dataclass(frozen=True)
class Panel:
    """One chart of a figure.

    Attributes:
        title: whose it is.
        colour: the name of its colour in the palette.
        figure: the number that one should know if one looked at nothing else.
        told: what the chart shows, for those who do not see it.
        draw: makes the chart.
    """

    title: str
    colour: str
    figure: str
    told: str
    draw: Callable[[], Chart]

    @cached_property
    def drawn(self) -> str:
        """The chart as a picture (SVG)."""
        return panel(self.draw())


@dataclass(frozen=True)
class Figure:
    """Charts of the same kind under one heading, and the numbers that they are drawn of.

    Attributes:
        name: of its place in the page, and of its preview.
        title: what it shows.
        note: how it is to be read.
        panels: the charts.
        table: the numbers.
        layout: whether the charts stand beside each other, where there is room.
    """

    name: str
    title: str
    note: str
    panels: Sequence[Panel]
    table: Table
    layout: Layout = "beside"

    def preview(self) -> bytes:
        """The charts as a picture (PNG) that stands for itself."""
        return png(self.title, [(one.title, one.drawn) for one in self.panels])


@dataclass(frozen=True)
class Tile:
    """One number in large type.

    Attributes:
        name: what it counts.
        figure: the number.
        remark: what it is compared with.
    """

    name: str
    figure: str
    remark: str = ""


@dataclass(frozen=True)
class Notice:
    """Something that must be known before the figures are believed, and what to type about it."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Answer:
    """A question with its answer, or with what to type so that there is one."""

    question: str
    answer: str = ""
    command: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Link:
    """Another page beside this one."""

    name: str
    target: str


@dataclass(frozen=True)
class Page:
    """All that a page says, from top to bottom.

    Attributes:
        title: its heading.
        lead: the sentence below.
        links: the pages beside it.
        notices: what must be known first.
        tiles: the numbers in large type.
        figures: the pictures.
        answers: the questions at the end.
        footer: when and from what it was made.
    """

    title: str
    lead: str
    links: Sequence[Link] = ()
    notices: Sequence[Notice] = ()
    tiles: Sequence[Tile] = ()
    figures: Sequence[Figure] = ()
    answers: Sequence[Answer] = ()
    footer: Sequence[str] = ()


def html(page: Page) -> str:
    """The page as the text of its file."""
    return _templates().get_template("page.html.jinja").render(page=page, colours=stylesheet())


def _drawn(one: Panel) -> str:
    return as_wide_as_the_page(one.drawn)


def _is_cell(value: Any) -> bool:
    return isinstance(value, Cell)


def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("taxi_platform.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["drawn"] = _drawn
    found.tests["cell"] = _is_cell
    return found

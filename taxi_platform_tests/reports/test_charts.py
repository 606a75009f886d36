"""The charts of a report, and the numbers in their texts."""

import base64
import re
import xml.etree.ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.reports.charts import (
    WIDTH,
    Bar,
    colour_of,
    columns,
    heat_map,
    markdown_picture,
    palette,
    ranking,
    svg,
)
from taxi_platform.reports.text import brief, brief_dollars, dollars, share


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def marks(drawn: str, colour: str) -> int:
    return sum(
        element.get("fill") == colour_of(colour)
        for element in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}path")
    )


def test_a_column_that_has_no_value_is_a_gap() -> None:
    drawn = svg(columns([("2019-01", 5.0), ("2019-02", None), ("2019-03", 7.0)], colour="green"))
    assert marks(drawn, "green") == 2
    assert {"2019-01", "2019-02", "2019-03"} <= set(texts(drawn))


@pytest.mark.parametrize("count", [1, 7, 120])
def test_only_labels_that_fit_are_written_below_the_columns(count: int) -> None:
    names = [f"{2000 + number // 12}-{number % 12 + 1:02}" for number in range(count)]
    written = [text for text in texts(svg(columns([(name, 1.0) for name in names], colour="fhv"))) if text in names]
    assert 1 <= len(written) <= 4
    assert written[0] == names[0]


def test_the_busiest_hour_is_full_of_colour_and_an_empty_week_is_drawn_too() -> None:
    drawn = svg(heat_map({(6, 23): 10.0, (0, 0): 1.0}, colour="green"))
    assert drawn.count('fill-opacity="1"') == 1
    assert marks(svg(heat_map({}, colour="green")), "green") == 168


def test_names_are_escaped_and_equal_names_are_two_bars() -> None:
    bars = [Bar("Corona", 3, "3"), Bar("Corona", 2, "2"), Bar('<b> & "', 1, "1")]
    drawn = svg(ranking(bars, colour="yellow"))
    assert sorted(texts(drawn)) == sorted(["Corona", "Corona", '<b> & "', "3", "2", "1"])
    assert marks(drawn, "yellow") == 3
    assert marks(svg(ranking([], colour="yellow")), "yellow") == 0


def test_every_panel_has_the_same_width() -> None:
    charts = [
        columns([("a", 1_234_567.0)], colour="green"),
        heat_map({}, colour="green"),
        ranking([Bar("a", 1, "1")], colour="green"),
    ]
    assert {xml.fromstring(svg(chart)).get("width") for chart in charts} == {str(WIDTH)}


def test_a_picture_for_the_ui_contains_its_colours() -> None:
    drawing = svg(columns([("a", 1.0)], colour="green"))
    assert "var(--green)" in drawing
    encoded = re.fullmatch(r"!\[A & B\]\(data:image/svg\+xml;base64,(.+)\)", markdown_picture(drawing, "A & B"))
    assert encoded
    picture = base64.b64decode(encoded[1]).decode()
    assert "var(" not in picture
    assert palette()["green"][0] in picture
    assert palette()["card"][0] in picture  # a background, because the UI may be dark


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.5, "0.5"), (12.34, "12.3"), (999.9, "1 k"), (1234, "1.23 k"), (999_999, "1 M"),
     (84_399_019, "84.4 M"), (1_577_000_000, "1.58 bn"), (123_400_000_000, "123 bn")],
)  # fmt: skip
def test_a_short_number_has_three_digits(number: float, text: str) -> None:
    assert brief(number) == text


def test_money_is_written_with_its_sign_before_the_dollar() -> None:
    assert (dollars(1234.5), dollars(-3)) == ("$1,234.50", "\N{MINUS SIGN}$3.00")
    assert (brief_dollars(71_234_567), brief_dollars(-1500)) == ("$71.2 M", "\N{MINUS SIGN}$1.5 k")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_only_a_share_of_zero_is_written_as_zero(part: int, more: int) -> None:
    text = share(part, part + more)
    assert text.endswith(" %")
    assert (text == "0 %") == (part == 0)
    assert (text == "100.0 %") >= (more == 0 and part > 0)

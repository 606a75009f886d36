"""Tables and pictures, for Dagster's UI and for pages."""

import base64
import struct
import xml.etree.ElementTree as xml
import zlib

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.reports.bars import bars
from taxi_platform.reports.columns import columns
from taxi_platform.reports.drawing import WIDTH, panel, png, svg
from taxi_platform.reports.heat_map import heat_map
from taxi_platform.reports.markdown import picture, table
from taxi_platform.reports.numbers import brief, brief_dollars, dollars, share
from taxi_platform.reports.packing import packed
from taxi_platform.reports.palette import LIGHT, for_light, paint
from taxi_platform.reports.ranking import Line, ranking


def test_a_table_shows_its_first_rows_and_says_how_many_follow() -> None:
    shown = table(["brand", "price"], [[f"b{number}", number * 1000] for number in range(25)], most=3)
    assert shown.splitlines() == [
        "| brand   | price   |",
        "|:--------|:--------|",
        "| b0      | 0       |",
        "| b1      | 1,000   |",
        "| b2      | 2,000   |",
        "",
        "… and 22 more",
    ]


def test_no_cell_breaks_the_table_or_becomes_a_tag() -> None:
    shown = table(["a|b"], [["x|y\nz"], ["<img src=x>"], ["`code`"], [None], [float("nan")], ["w" * 500]])
    lines = shown.splitlines()
    assert len(lines) == 8
    assert all(line.replace("\\|", "").count("|") == 2 for line in lines)
    assert "\\<img" in shown
    assert len(shown) < 1000


def test_a_chart_is_a_picture_and_a_page_without_a_network() -> None:
    chart = bars(
        [("Long Haul", 83.6), ("N/A", 11.29), ("a:b[c].d\"e'", 1.0)], label="brand", value="price", title="Prices"
    )
    drawn = svg(chart)
    assert drawn.startswith("<svg ")
    assert all(text in drawn for text in ("Long Haul", "Prices", "a:b[c].d"))
    page = chart.to_html(inline=True)
    assert 'src="http' not in page
    assert "Long Haul" in page


def test_bars_stand_in_the_order_in_which_they_come() -> None:
    spec = bars([("b", 1), ("a", 2)], label="brand", value="price", title="").to_dict()
    assert spec["encoding"]["y"]["sort"] == ["b", "a"]


def test_a_picture_is_part_of_the_text() -> None:
    text = picture("<svg></svg>", "Prices")
    begin = "![Prices](data:image/svg+xml;base64,"
    assert text.startswith(begin)
    assert base64.b64decode(text[len(begin) : -1]) == b"<svg></svg>"


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def marks(drawn: str, colour: str) -> int:
    return sum(
        element.get("fill") == paint(colour)
        for element in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}path")
    )


def pixels(png: bytes) -> bytes:
    """Width, height and all pixels of a picture, as its filters left them."""
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(png[at + 4 : at + 8 + length])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return png[16:24] + zlib.decompress(data)


def test_a_column_that_has_no_value_is_a_gap() -> None:
    drawn = panel(columns([("2019-01", 5.0), ("2019-02", None), ("2019-03", 7.0)], colour="green"))
    assert marks(drawn, "green") == 2
    assert {"2019-01", "2019-02", "2019-03"} <= set(texts(drawn))


@pytest.mark.parametrize("count", [1, 7, 31, 120])
def test_no_more_texts_stand_below_the_columns_than_have_room(count: int) -> None:
    names = [f"{2000 + number // 12}-{number % 12 + 1:02}" for number in range(count)]
    written = [text for text in texts(panel(columns([(name, 1.0) for name in names], colour="fhv"))) if text in names]
    assert 1 <= len(written) <= 4
    assert written[0] == names[0]


def test_the_busiest_hour_is_full_of_colour_and_an_empty_week_is_drawn_too() -> None:
    spec = heat_map({(6, 23): 10.0, (0, 0): 1.0}, colour="green").to_dict()
    (rows,) = [spec["data"]["values"]]
    assert len(rows) == 168
    assert [row for row in rows if row["value"] == 10.0] == [{"day": "Sun", "hour": "23", "value": 10.0}]
    drawn = panel(heat_map({(6, 23): 10.0, (0, 0): 1.0}, colour="green"))
    assert drawn.count('fill-opacity="1"') == 1
    assert marks(panel(heat_map({}, colour="green")), "green") == 168


def test_names_are_written_as_they_are_and_equal_ones_are_two_lines() -> None:
    lines = [Line("Corona", 3, "3"), Line("Corona", 2, "2"), Line('<b> & "', 1, "1")]
    drawn = panel(ranking(lines, colour="yellow"))
    assert sorted(texts(drawn)) == sorted(["Corona", "Corona", '<b> & "', "3", "2", "1"])
    assert marks(drawn, "yellow") == 3
    assert marks(panel(ranking([], colour="yellow")), "yellow") == 0


def test_every_panel_has_the_same_width() -> None:
    charts = [
        columns([("a", 1_234_567.0)], colour="green"),
        heat_map({}, colour="green"),
        ranking([Line("a", 1, "1")], colour="green"),
    ]
    assert {xml.fromstring(panel(chart)).get("width") for chart in charts} == {str(WIDTH)}


def test_a_picture_of_panels_has_their_titles_and_colours_of_its_own() -> None:
    drawn = panel(columns([("a", 1.0)], colour="green"))
    assert "var(--green)" in drawn
    assert "var(" not in for_light(drawn)
    assert LIGHT["green"] in for_light(drawn)
    one, two = png("A & B", [("x", drawn)]), png("A & B", [("x", drawn), ("<y>", drawn)])
    assert struct.unpack(">II", two[16:24])[0] > struct.unpack(">II", one[16:24])[0] > WIDTH
    assert len(two) < 30_000


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["red", "#1234", "none"]))
def test_packing_a_picture_changes_no_pixel(width: int, height: int, fill: str) -> None:
    original = vl_convert.svg_to_png(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<circle r="9" cx="9" cy="9" fill="{fill}"/></svg>'
    )
    assert pixels(packed(original)) == pixels(original)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (12.34, "12.3"),
        (999, "999"),
        (999.9, "1 k"),
        (1234, "1.23 k"),
        (999_999, "1 M"),
        (84_399_019, "84.4 M"),
        (1_577_000_000, "1.58 bn"),
        (123_400_000_000, "123 bn"),
    ],
)
def test_a_brief_number_has_three_digits(number: float, told: str) -> None:
    assert brief(number) == told


def test_money_is_written_with_its_sign_before_the_dollar() -> None:
    assert (dollars(1234.5), dollars(-3)) == ("$1,234.50", "\N{MINUS SIGN}$3.00")
    assert (brief_dollars(71_234_567), brief_dollars(-1500)) == ("$71.2 M", "\N{MINUS SIGN}$1.5 k")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_share_is_nothing_only_where_there_is_nothing(part: int, more: int) -> None:
    told = share(part, part + more)
    assert told.endswith(" %")
    assert (told == "0 %") == (part == 0)
    assert (told == "100.0 %") >= (more == 0 and part > 0)

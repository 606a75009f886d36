"""Tables and pictures for Dagster's UI."""

import base64

from taxi_platform.charts.bars import bars, svg
from taxi_platform.charts.markdown import picture, table


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

"""What Dagster's UI shows of the products: tables and a chart."""

import re
import xml.etree.ElementTree as xml

from taxi_platform.course.previews import MOST_BARS, MOST_ROWS, chart, table


def test_a_table_shows_its_first_rows_and_says_how_many_follow() -> None:
    shown = table(["brand", "price"], [[f"b{number}", number * 1000] for number in range(MOST_ROWS + 5)]).splitlines()
    assert shown[:4] == [
        "| brand   | price   |",
        "|:--------|:--------|",
        "| b0      | 0       |",
        "| b1      | 1,000   |",
    ]
    assert shown[-3:] == ["| b19     | 19,000  |", "", "… and 5 more"]


def test_no_cell_breaks_the_table_or_becomes_a_tag() -> None:
    shown = table(["a|b"], [["x|y\nz"], ["<img src=x>"], ["`code`"], [None], [float("nan")], ["w" * 500]])
    lines = shown.splitlines()
    assert len(lines) == 8
    assert all(line.replace("\\|", "").count("|") == 2 for line in lines)
    assert "\\<img" in shown
    assert len(shown) < 1000


def test_the_chart_shows_the_first_brands_in_their_order() -> None:
    brands = ["Long Haul", "N/A", "a:b[c].d\"e'", *(f"brand {number}" for number in range(MOST_BARS))]
    drawing = chart([(brand, 100.0 - place, 1, 1) for place, brand in enumerate(brands)])
    labels = re.findall(r"role-axis-label.*?</g>", drawing, re.DOTALL)[-1]
    shown = [element.text for element in xml.fromstring(f'<g class="{labels}').iter("text")]
    assert shown == brands[:MOST_BARS]
    assert f"the highest {MOST_BARS} of {len(brands)}" in drawing

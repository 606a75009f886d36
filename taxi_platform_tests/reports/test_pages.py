"""Pages: what they say of what there is, and of what there is not."""

import xml.etree.ElementTree as xml
from collections.abc import Iterator
from dataclasses import replace

import pytest

from taxi_platform.reports.charts import COLOURS
from taxi_platform.reports.figures import Faults, ServiceFigures, Sum
from taxi_platform.reports.html import Page, html
from taxi_platform.reports.pages import ReportData, month_page, whole_page
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW
from taxi_platform_tests.support.made_up_figures import AT, found, loaded, part

MARCH, APRIL, MAY = Month(2019, 3), Month(2019, 4), Month(2019, 5)
ALWAYS = ["hours", "zones", "distances", "fares", "payments", "quality"]
NOTHING = ReportData([], {}, "UTC", AT)


def figures(page: Page) -> list[str]:
    return [figure.name for figure in page.figures]


def told(page: Page) -> str:
    return " ".join(f"{notice.text} {notice.command}" for notice in page.notices)


def cells(page: Page, name: str) -> list[list[str]]:
    (figure,) = (figure for figure in page.figures if figure.name == name)
    return [list(row) for row in figure.table.rows]


def pages() -> Iterator[Page]:
    yield whole_page(found(MARCH, APRIL))
    yield month_page(MARCH, found(MARCH, APRIL, only=MARCH))
    yield whole_page(found(MARCH, services=(FHV,)))


def test_the_whole_goes_by_months_and_a_month_by_days() -> None:
    assert figures(whole_page(found(MARCH, APRIL))) == ["trips", "revenue", *ALWAYS, "without-vendor"]
    assert figures(month_page(MARCH, found(MARCH, APRIL, only=MARCH))) == ["trips", "revenue", *ALWAYS]
    assert [row[0] for row in cells(whole_page(found(MARCH, APRIL)), "trips")] == ["2019-03", "2019-04"]
    assert len(cells(month_page(APRIL, found(APRIL, only=APRIL)), "trips")) == 30


def test_every_figure_has_the_numbers_behind_it() -> None:
    for page in pages():
        assert page.figures
        for figure in page.figures:
            assert figure.panels
            assert figure.table.rows
            assert {len(row) for row in figure.table.rows} == {len(figure.table.columns)}
            assert all(panel.headline for panel in figure.panels)


def test_for_hire_trips_are_shown_without_fares_and_distances() -> None:
    page = whole_page(found(MARCH, services=(FHV,)))
    assert figures(page) == ["trips", "hours", "zones", "quality", "without-vendor"]
    assert [tile.name for tile in page.tiles] == ["For-hire vehicle trips"]
    assert "Negative total" not in [row[0] for row in cells(page, "quality") if row[1] != "\N{EN DASH}"]


def test_a_month_that_a_service_lacks_is_a_gap_and_not_zero() -> None:
    there = found(MARCH, APRIL, MAY)
    lacking = replace(
        there,
        parts=[one for one in there.parts if not (one.service is YELLOW and APRIL in one.months)],
        loaded={name: one for name, one in there.loaded.items() if name != YELLOW.file_name(APRIL)},
    )
    page = whole_page(lacking)
    rows = {row[0]: row[1:] for row in cells(page, "trips")}
    assert rows["2019-04"][0] != "\N{EN DASH}"
    assert rows["2019-04"][1] == "\N{EN DASH}"
    assert "Yellow taxi: 2019-04 is not loaded. taxi backfill yellow 2019-04" in told(page)


def test_a_month_without_one_service_shows_the_others_and_says_how_to_load_it() -> None:
    page = month_page(MARCH, found(MARCH, services=(GREEN, YELLOW), only=MARCH))
    assert "For-hire vehicle: 2019-03 is not loaded. taxi backfill fhv 2019-03" in told(page)
    assert len(page.notices) == 1
    assert figures(page) == ["trips", "revenue", *ALWAYS]


@pytest.mark.parametrize("page", [whole_page(NOTHING), month_page(MARCH, replace(NOTHING, month=MARCH))])
def test_without_any_trips_a_page_says_so_and_what_to_type(page: Page) -> None:
    assert (page.figures, page.tiles) == ([], [])
    assert page.lead.endswith("is loaded yet.")
    assert "No month is loaded." in told(page)
    assert "taxi backfill green 2019-03 && dagster asset materialize" in told(page)
    assert len(page.answers) == 6
    assert "</html>" in html(page)


def test_months_that_differ_between_table_and_models_get_a_notice_with_a_command() -> None:
    there = found(MARCH, APRIL, MAY)
    older = {
        name: loaded(5) if name in (GREEN.file_name(APRIL), GREEN.file_name(MAY)) else one
        for name, one in there.loaded.items()
    }
    said = told(whole_page(replace(there, loaded=older)))
    assert "Green taxi: the models differ from the table in 2019-04 to 2019-05." in said
    assert "--partition-range 2019-04...2019-05" in said
    assert "Yellow taxi" not in said
    assert whole_page(replace(there, parts=[])).lead == "Nothing is in the models yet."
    # The page of a month does not speak of others.
    only = month_page(MARCH, replace(found(MARCH, APRIL, only=MARCH), loaded=older))
    assert only.notices == []


def test_models_that_differ_from_each_other_get_a_notice() -> None:
    there = found(MARCH, services=(GREEN,))
    (only,) = there.parts
    page = whole_page(replace(there, parts=[replace(only, zones={})]))
    assert "Green taxi: the models differ from the table in 2019-03." in told(page)
    assert "zones" not in figures(page)


def test_a_month_is_compared_with_the_one_before_and_with_the_year_before() -> None:
    held = {
        GREEN.file_name(MARCH): loaded(150),
        GREEN.file_name(Month(2019, 2)): loaded(200),
        GREEN.file_name(Month(2018, 3)): loaded(100),
    }
    few = replace(part(GREEN, MARCH), months={MARCH: Sum(150, 10.0)}, zones={})
    page = month_page(MARCH, ReportData([few], held, "UTC", AT, MARCH))
    assert page.tiles[0].remark == "\N{MINUS SIGN}25.0 % on 2019-02, +50.0 % on 2018-03"


def test_made_up_trips_get_a_notice() -> None:
    there = found(MARCH, services=(GREEN,))
    sample = {name: loaded(one.rows_loaded, "sample:0.05/{}") for name, one in there.loaded.items()}
    assert "made up" in told(whole_page(replace(there, loaded=sample)))
    assert "made up" not in told(whole_page(there))


def test_no_password_of_a_source_is_on_a_page() -> None:
    there = found(MARCH, services=(GREEN,))
    secret = {
        name: loaded(one.rows_loaded, "https://ann:pa55word@example.com/green/x.csv.gz")
        for name, one in there.loaded.items()
    }
    page = html(whole_page(replace(there, loaded=secret)))
    assert "pa55word" not in page
    assert "example.com" in page


def test_links_lead_to_existing_pages() -> None:
    there = frozenset({"trips", "2019-02", "2019-03", "2019-05"})
    links = month_page(APRIL, replace(found(APRIL, only=APRIL), pages=there)).links
    assert [(link.name, link.target) for link in links] == [
        ("All months", "trips.html"),
        ("2019-03", "2019-03.html"),
        ("2019-05", "2019-05.html"),
    ]
    assert [link.name for link in whole_page(replace(found(APRIL), pages=there)).links] == sorted(there - {"trips"})


def test_a_month_of_strays_alone_is_shown() -> None:
    strays = ServiceFigures(GREEN, {MARCH: Sum(3, 30.0)}, {MARCH: Faults(strays=3)})
    page = month_page(MARCH, ReportData([strays], {}, "UTC", AT, MARCH))
    assert "no trips" in html(page)
    assert ["Pickup outside the month", "3", "100.0 %"] in cells(page, "quality")


def test_several_services_get_a_panel_with_their_sum() -> None:
    both = whole_page(found(MARCH, services=(GREEN, YELLOW)))
    (row,) = cells(both, "revenue")
    green, yellow, together = (float(cell.strip("$").replace(",", "")) for cell in row[1:])
    assert together == pytest.approx(green + yellow, abs=0.02)
    assert len(cells(whole_page(found(MARCH, services=(GREEN,))), "revenue")[0]) == 2


def test_a_page_needs_no_other_file_and_its_drawings_are_complete() -> None:
    for page in pages():
        text = html(page)
        assert "<script" not in text
        assert " src=" not in text
        assert "@import" not in text
        assert "url(" not in text
        assert "<b>Clinton" not in text
        drawn = [panel.drawing for figure in page.figures for panel in figure.panels]
        assert len(drawn) == text.count("<svg ")
        for one in drawn:
            xml.fromstring(one)
            assert "NaN" not in one
            assert len(one) < 40_000


def test_a_service_has_a_colour() -> None:
    assert set(SERVICES) <= set(COLOURS)

"""Pages: what they show of the months that are loaded, and of those that are not."""

import xml.etree.ElementTree as xml
from dataclasses import replace
from datetime import timedelta

import pytest

from taxi_platform.reports.charts import palette
from taxi_platform.reports.figures import Counts, ServiceFigures
from taxi_platform.reports.html import Page, html
from taxi_platform.reports.pages import ReportData, make_page
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW
from taxi_platform_tests.support.made_up_figures import AT, loaded, made_up, part

MARCH, APRIL, MAY = Month(2019, 3), Month(2019, 4), Month(2019, 5)
ALWAYS = ["hours", "zones", "distances", "fares", "payments", "quality"]
NOTHING = ReportData([], {}, "UTC", AT)


def figures(page: Page) -> list[str]:
    return [figure.name for figure in page.figures]


def notices(page: Page) -> str:
    return " ".join(f"{notice.text} {notice.command}" for notice in page.notices)


def cells(page: Page, name: str) -> list[list[str]]:
    (figure,) = (figure for figure in page.figures if figure.name == name)
    return [list(row) for row in figure.table.rows]


def test_the_page_of_all_months_shows_months_and_the_page_of_a_month_days() -> None:
    whole, month = make_page(made_up(MARCH, APRIL)), make_page(made_up(MARCH, APRIL, only=APRIL))
    assert figures(whole) == ["trips", "revenue", *ALWAYS, "without-vendor"]
    assert figures(month) == ["trips", "revenue", *ALWAYS]
    assert [row[0] for row in cells(whole, "trips")] == ["2019-03", "2019-04"]
    assert len(cells(month, "trips")) == 30


@pytest.mark.parametrize("data", [made_up(MARCH, APRIL), made_up(MARCH, services=(GREEN,), only=MARCH)])
def test_every_figure_has_its_numbers_and_a_page_needs_no_other_file(data: ReportData) -> None:
    page = make_page(data)
    assert page.figures
    for figure in page.figures:
        assert figure.panels
        assert figure.table.rows
        assert {len(row) for row in figure.table.rows} == {len(figure.table.columns)}
        assert all(panel.headline for panel in figure.panels)
    text = html(page)
    for loads in ("<script", " src=", "@import", "url(", "<b>Clinton"):
        assert loads not in text
    drawings = [panel.drawing for figure in page.figures for panel in figure.panels]
    assert len(drawings) == text.count("<svg ")
    for drawing in drawings:
        xml.fromstring(drawing)
        assert "NaN" not in drawing
        assert len(drawing) < 40_000


def test_for_hire_trips_are_shown_without_fares_and_distances() -> None:
    page = make_page(made_up(MARCH, services=(FHV,)))
    assert figures(page) == ["trips", "hours", "zones", "quality", "without-vendor"]
    assert [tile.name for tile in page.tiles] == ["For-hire vehicle trips"]
    assert "Negative total" not in [row[0] for row in cells(page, "quality") if row[1] != "\N{EN DASH}"]


def test_a_missing_month_of_a_service_is_a_gap_and_not_zero() -> None:
    data = made_up(MARCH, APRIL, MAY)
    lacking = replace(
        data,
        parts=[each for each in data.parts if not (each.service is YELLOW and APRIL in each.months)],
        loaded={name: each for name, each in data.loaded.items() if name != YELLOW.file_name(APRIL)},
    )
    page = make_page(lacking)
    rows = {row[0]: row[1:] for row in cells(page, "trips")}
    assert rows["2019-04"][0] != "\N{EN DASH}"
    assert rows["2019-04"][1] == "\N{EN DASH}"
    assert "Yellow taxi: 2019-04 is not loaded. taxi backfill yellow 2019-04" in notices(page)


def test_a_month_without_one_service_shows_the_others_and_how_to_load_it() -> None:
    page = make_page(made_up(MARCH, services=(GREEN, YELLOW), only=MARCH))
    assert "For-hire vehicle: 2019-03 is not loaded. taxi backfill fhv 2019-03" in notices(page)
    assert len(page.notices) == 2  # the other is about the high-volume vehicles
    assert figures(page) == ["trips", "revenue", *ALWAYS]


@pytest.mark.parametrize("data", [NOTHING, replace(NOTHING, month=MARCH)])
def test_a_page_without_trips_says_which_commands_to_type(data: ReportData) -> None:
    page = make_page(data)
    assert (page.figures, page.tiles) == ([], [])
    assert page.lead.endswith("is loaded yet.")
    assert "No month is loaded." in notices(page)
    assert "taxi backfill green 2019-03 && dagster asset materialize" in notices(page)
    assert len(page.answers) == 6
    assert "</html>" in html(page)


def test_months_that_differ_between_table_and_models_get_a_notice_with_a_command() -> None:
    data = made_up(MARCH, APRIL, MAY)
    older = {**data.loaded, GREEN.file_name(APRIL): loaded(5), GREEN.file_name(MAY): loaded(5)}
    text = notices(make_page(replace(data, loaded=older)))
    assert "Green taxi: the models differ from the table in 2019-04 to 2019-05." in text
    assert "--partition-range 2019-04...2019-05" in text
    assert "Yellow taxi" not in text
    assert make_page(replace(data, parts=[])).lead == "Nothing is in the models yet."
    # The page of a month does not mention other months.
    assert "the models differ" not in notices(make_page(replace(made_up(MARCH, APRIL, only=MARCH), loaded=older)))


def test_months_that_were_loaded_since_their_models_were_built_get_a_notice() -> None:
    data = made_up(MARCH, APRIL, services=(GREEN,))
    records = {name: replace(record, loaded_at=AT) for name, record in data.loaded.items()}
    builds = {GREEN.file_name(MARCH): AT - timedelta(seconds=1), GREEN.file_name(APRIL): AT + timedelta(seconds=1)}
    text = notices(make_page(replace(data, loaded=records, builds=builds)))
    assert "Green taxi: the models differ from the table in 2019-03." in text
    assert "the models differ" not in notices(make_page(replace(data, loaded=records)))


def test_models_that_differ_from_each_other_get_a_notice() -> None:
    data = made_up(MARCH, services=(GREEN,))
    page = make_page(replace(data, parts=[replace(data.parts[0], zones={})]))
    assert "Green taxi: the models differ from the table in 2019-03." in notices(page)
    assert "zones" not in figures(page)


def test_a_month_is_compared_with_the_one_before_and_with_the_year_before() -> None:
    records = {
        GREEN.file_name(MARCH): loaded(150),
        GREEN.file_name(Month(2019, 2)): loaded(200),
        GREEN.file_name(Month(2018, 3)): loaded(100),
    }
    few = replace(part(GREEN, MARCH), months={MARCH: Counts(150, 10.0)}, zones={})
    page = make_page(ReportData([few], records, "UTC", AT, MARCH))
    assert page.tiles[0].remark == "\N{MINUS SIGN}25.0 % on 2019-02, +50.0 % on 2018-03"


def test_made_up_trips_get_a_notice() -> None:
    data = made_up(MARCH, services=(GREEN,))
    sample = {name: loaded(each.rows_loaded, "sample:0.05/{}") for name, each in data.loaded.items()}
    assert "made up" in notices(make_page(replace(data, loaded=sample)))
    assert "made up" not in notices(make_page(data))


def test_no_password_of_a_source_is_on_a_page() -> None:
    data = made_up(MARCH, services=(GREEN,))
    source = "https://ann:pa55word@example.com/green/x.csv.gz"
    secret = {name: loaded(each.rows_loaded, source) for name, each in data.loaded.items()}
    footer = " ".join(make_page(replace(data, loaded=secret)).footer)
    assert "pa55word" not in footer
    assert "example.com" in footer


def test_links_lead_to_existing_pages() -> None:
    pages = frozenset({"trips", "2019-02", "2019-03", "2019-05"})
    assert make_page(replace(made_up(APRIL, only=APRIL), pages=pages)).links == [
        ("All months", "trips.html"),
        ("2019-03", "2019-03.html"),
        ("2019-05", "2019-05.html"),
    ]
    whole = make_page(replace(made_up(APRIL), pages=pages))
    assert [name for name, _ in whole.links] == ["2019-02", "2019-03", "2019-05"]


def test_a_month_of_strays_alone_is_shown() -> None:
    strays = ServiceFigures(GREEN, {MARCH: Counts(3, 30.0, strays=3)})
    page = make_page(ReportData([strays], {}, "UTC", AT, MARCH))
    assert "no trips" in [panel.headline for figure in page.figures for panel in figure.panels]
    assert ["Pickup outside the month", "3", "100.0 %"] in cells(page, "quality")


def test_several_services_get_a_panel_with_their_sum() -> None:
    (row,) = cells(make_page(made_up(MARCH, services=(GREEN, YELLOW))), "revenue")
    green, yellow, together = (float(cell.strip("$").replace(",", "")) for cell in row[1:])
    assert together == pytest.approx(green + yellow, abs=0.02)
    assert len(cells(make_page(made_up(MARCH, services=(GREEN,))), "revenue")[0]) == 2


def test_every_service_has_a_colour() -> None:
    assert set(SERVICES) <= set(palette())

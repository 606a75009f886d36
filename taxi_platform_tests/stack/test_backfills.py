"""Backfills end to end, on the running stack: from the web UI's dialog in a real browser, and by Dagster's own command.

The picture in docs/deploy.md is made by the same test:

    TAXI_SCREENSHOT=docs/images/backfill.png pytest taxi_platform_tests/stack/test_backfills.py -k browser
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Error, Page, expect

from taxi_platform.settings import PROJECT
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.browser import browser
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.year import Year, newest_backfill

JOB = "/locations/taxi_platform/jobs/green_tripdata_job"
NARROW_MENU = "localStorage.setItem('dagster-nav-collapsed', 'true')"
GREEN_DOT = "rgb(46, 204, 129)"
TIMEOUT = 60_000  # milliseconds, for a page on a busy machine


def launch_in_the_dialog(page: Page, year: Year) -> None:
    """Select the year's months on the page of the job, and launch them."""
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_placeholder("ex: ").fill(f"[{year.months[0]}...{year.months[-1]}]")
    page.keyboard.press("Tab")
    launch = page.get_by_role("button", name="Launch backfill")
    expect(launch).to_be_enabled()
    launch.click()
    expect(launch).to_be_hidden()


def expect_green_dots(page: Page, year: Year) -> None:
    """Wait until the dots beside the year's months, in the asset's list of partitions, are green."""
    page.get_by_placeholder("Filter by name").fill(str(year.months[0].year))
    for month in year.months:
        dot = page.get_by_title(str(month), exact=True).first.locator("xpath=../../*[last()]")
        expect(dot).to_have_css("background-color", GREEN_DOT, timeout=TIMEOUT)


def take_picture(page: Page, url: str, target: Path) -> None:
    """Take the picture of the job's months by asset."""
    page.set_viewport_size({"width": 1560, "height": 480})
    page.goto(f"{url}{JOB}/partitions")
    page.get_by_text("Show per-asset status").click()
    page.get_by_text("raw/green_tripdata").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=target)


def test_months_that_are_selected_in_the_browser_are_loaded_and_turn_green(
    stack: Stack, source: TripServer, years: Iterator[int], tmp_path: Path
) -> None:
    year = Year(stack, source, next(years), [GREEN], tmp_path)
    before = newest_backfill(stack)
    with browser(1400, 800) as page:
        problems: list[Error] = []
        page.on("pageerror", lambda problem: problems.append(problem))
        page.set_default_timeout(TIMEOUT)
        page.add_init_script(NARROW_MENU)
        page.goto(stack.url(3000) + JOB)
        launch_in_the_dialog(page, year)
        stack.wait(lambda: newest_backfill(stack) != before, "backfill launched")
        backfill = newest_backfill(stack)
        assert backfill
        year.wait_for(backfill)
        page.goto(f"{stack.url(3000)}/assets/green_tripdata?view=partitions")
        expect_green_dots(page, year)
        if picture := os.environ.get("TAXI_SCREENSHOT"):
            take_picture(page, stack.url(3000), PROJECT / picture)
        assert problems == []
    (run,) = year.check(backfill)
    first, last = GREEN.file_name(year.months[0]), GREEN.file_name(year.months[-1])
    assert {name: run["tags"][name] for name in ("taxi", "file", "backfill", "trigger")} == {
        "taxi": "green",
        "file": f"{first}...{last}",
        "backfill": "true",
        "trigger": "backfill",
    }


def test_the_command_of_dagster_loads_the_months_that_its_flags_name_and_no_others(
    stack: Stack, source: TripServer, years: Iterator[int], tmp_path: Path
) -> None:
    number = next(years)
    year = Year(stack, source, number, [GREEN], tmp_path, [2, 3])
    output = stack.execute(
        "daemon",
        "dagster job backfill --workspace deploy/workspace.yaml --job green_tripdata_job --noprompt "
        f"--from {number}-02 --to {number}-03",
    )
    # The command itself makes a run for each month, and Dagster calls the backfill complete when all are queued.
    (backfill,) = re.findall(r"Launched backfill job `(\w+)`", output)
    stack.wait(lambda: {run["status"] for run in year.runs(backfill)} == {"SUCCESS"}, "runs finished")
    assert len(year.check(backfill)) == 2

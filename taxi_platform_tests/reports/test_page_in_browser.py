"""The pages of reports in a real Chromium: as wide as a phone or a desktop, in light and dark colours.

The README's picture is made by the same test, of the page that ``make demo`` has written:

    TAXI_SCREENSHOT=docs/images/report.png TAXI_TEST_REPORT=.taxi/sample/reports/trips.html \
        pytest taxi_platform_tests/reports/test_page_in_browser.py -k picture
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from taxi_platform.reports.html import html
from taxi_platform.reports.pages import make_page
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform_tests.support.browser import browser
from taxi_platform_tests.support.made_up_figures import made_up

PHONE, DESKTOP = 390, 1280
MONTHS = list(Month(2019, 1).through(Month(2021, 7)))
TABLES = "open => document.querySelectorAll('details').forEach(each => each.open = open)"

# Contrasts of every text and every mark of a chart with what is behind it (WCAG 2.1, relative luminance).
CONTRASTS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const drawn = new Map();  // each colour once: a page has thousands of texts and a dozen colours
    const rgb = colour => {
        if (!drawn.has(colour)) {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            drawn.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
        }
        return drawn.get(colour);
    };
    const luminance = colour => {
        const [r, g, b] = rgb(colour).slice(0, 3).map(value => value / 255)
            .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const ground = getComputedStyle(at).backgroundColor;
            if (rgb(ground)[3] === 255) return ground;
        }
        return 'white';
    };
    const contrast = (colour, element) => {
        const [light, dark] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    };
    const found = {texts: [], marks: [], sizes: []};
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
        if (!text || !element.getClientRects().length) continue;
        const style = getComputedStyle(element), isSvg = element instanceof SVGElement;
        const scale = isSvg ? element.getScreenCTM().a : 1;
        found.texts.push([text, contrast(isSvg ? style.fill : style.color, element)]);
        found.sizes.push([text, parseFloat(style.fontSize) * scale]);
    }
    for (const mark of document.querySelectorAll('svg .role-mark path')) {
        const style = getComputedStyle(mark);
        if (style.fill !== 'none' && style.fillOpacity === '1') {
            found.marks.push([mark.getAttribute('d'), contrast(style.fill, mark)]);
        }
    }
    return found;
}"""

# What screen readers need on a page of charts.
STRUCTURE = """() => {
    const all = selector => [...document.querySelectorAll(selector)];
    const lacks = (each, selector) => !each.querySelector(selector);
    const ids = all('[id]').map(each => each.id), levels = all('h1, h2, h3').map(each => +each.tagName[1]);
    const charts = all('svg'), figures = all('section').filter(each => !lacks(each, 'svg'));
    return {
        language: document.documentElement.lang,
        titles: all('h1').length,
        charts: charts.length,
        unnamed: charts.filter(each => !each.parentElement.matches('[role=img][aria-label]')).length,
        without_table: figures.filter(each => lacks(each, 'details table tbody tr')).length,
        headless: all('table').filter(each => lacks(each, 'caption') || lacks(each, 'thead th[scope=col]')
            || lacks(each, 'tbody th[scope=row]')).length,
        twice: ids.length - new Set(ids).size,
        skipped: levels.filter((level, at) => level > (levels[at - 1] || 0) + 1).length,
    };
}"""

# Elements that are wider than the window, except those that can be scrolled.
OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(
    each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.scroll, nav, .hidden, .skip')
).map(each => each.outerHTML.slice(0, 80)).concat(document.documentElement.scrollWidth > innerWidth ? ['page'] : [])"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write pages of made-up figures, and return their files."""
    folder = tmp_path_factory.mktemp("reports")
    made = {
        "trips": replace(made_up(*MONTHS), pages=frozenset(["trips", *map(str, MONTHS)])),
        "month": replace(made_up(*MONTHS, only=Month(2020, 3)), pages=frozenset(["trips"])),
        "empty": made_up(),
    }
    for name, data in made.items():
        (folder / f"{name}.html").write_text(html(make_page(data)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with browser(DESKTOP, 900) as page:
        yield page


def show(window: Page, path: Path, width: int, scheme: Any) -> list[str]:
    """Open a page and its tables at this width; return the browser's errors, and the addresses that it requests."""
    trouble: list[str] = []
    window.on("console", lambda message: trouble.append(message.text))
    window.on("pageerror", lambda error: trouble.append(str(error)))
    window.on("request", lambda request: trouble.append(request.url) if "file://" not in request.url else None)
    window.emulate_media(color_scheme=scheme)
    window.set_viewport_size({"width": width, "height": 900})
    window.goto(path.as_uri())
    window.evaluate(TABLES, True)
    return trouble


# Contrasts depend only on the colour scheme, and overflow depends only on the width.
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
@pytest.mark.parametrize("name", ["trips", "month", "empty"])
def test_a_page_is_legible(window: Page, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    assert show(window, pages[name], width, scheme) == []
    background = window.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 21, 27)") == (scheme == "dark")
    assert window.evaluate(OVERFLOW) == []
    seen = window.evaluate(CONTRASTS)
    assert seen["texts"]
    assert [text for text in seen["texts"] if text[1] < 4.5] == []
    assert bool(seen["marks"]) == (name != "empty")
    assert [mark for mark in seen["marks"] if mark[1] < 3] == []
    assert [text for text in seen["sizes"] if text[1] < 11] == []


@pytest.mark.parametrize("name", ["trips", "month", "empty"])
def test_screen_readers_find_names_and_tables_of_the_charts(window: Page, pages: dict[str, Path], name: str) -> None:
    show(window, pages[name], DESKTOP, "light")
    structure = window.evaluate(STRUCTURE)
    assert bool(structure.pop("charts")) == (name != "empty")
    assert (structure.pop("language"), structure.pop("titles")) == ("en", 1)
    assert set(structure.values()) == {0}, structure


def test_a_table_can_be_opened_by_the_keyboard(window: Page, pages: dict[str, Path]) -> None:
    show(window, pages["trips"], DESKTOP, "light")
    window.evaluate(TABLES, False)
    reached: list[str] = []
    while "SUMMARY" not in reached and len(reached) < 60:
        window.keyboard.press("Tab")
        reached.append(window.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= set(reached)
    window.keyboard.press("Enter")
    assert window.locator("details[open] table").first.is_visible()


def test_a_picture_of_a_page_is_made(window: Page, pages: dict[str, Path], tmp_path: Path) -> None:
    name = os.environ.get("TAXI_SCREENSHOT")
    target = PROJECT / name if name else tmp_path / "report.png"
    page = os.environ.get("TAXI_TEST_REPORT")
    assert show(window, PROJECT / page if page else pages["trips"], DESKTOP, "light") == []
    window.evaluate(TABLES, False)
    window.set_viewport_size({"width": DESKTOP, "height": 1000})
    window.screenshot(path=target)
    assert 30_000 < target.stat().st_size < 600_000

"""The pages of reports as people see them: in a real Chromium, on a phone and on a desk, by day and by night.

The picture of docs/reports.md is made by the same test:

    TAXI_SCREENSHOT=docs/images/report.png pytest taxi_platform_tests/reports/test_page_in_browser.py -k picture
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from taxi_platform.reports.html import html
from taxi_platform.reports.pages import month_page, whole_page
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform_tests.support.browser import browser
from taxi_platform_tests.support.made_up_figures import found

PHONE, DESK = 390, 1280
MONTHS = list(Month(2019, 1).through(Month(2021, 7)))

# Every text with its contrast to what is behind it, and every mark of a chart (WCAG 2.1, relative luminance).
CONTRASTS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgb = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
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
        const style = getComputedStyle(element), drawn = element instanceof SVGElement;
        const scale = drawn ? element.getScreenCTM().a : 1;
        found.texts.push([text, contrast(drawn ? style.fill : style.color, element)]);
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

# What a page of charts must have for who does not see them.
STRUCTURE = """() => {
    const all = selector => [...document.querySelectorAll(selector)];
    const lacks = (one, selector) => !one.querySelector(selector);
    const ids = all('[id]').map(one => one.id), levels = all('h1, h2, h3').map(one => +one.tagName[1]);
    const charts = all('svg'), figures = all('section').filter(one => !lacks(one, 'svg'));
    return {
        language: document.documentElement.lang,
        titles: all('h1').length,
        charts: charts.length,
        unnamed: charts.filter(one => !one.parentElement.matches('[role=img][aria-label]')).length,
        without_table: figures.filter(one => lacks(one, 'details table tbody tr')).length,
        headless: all('table').filter(one => lacks(one, 'caption') || lacks(one, 'thead th[scope=col]')
            || lacks(one, 'tbody th[scope=row]')).length,
        twice: ids.length - new Set(ids).size,
        skipped: levels.filter((level, at) => level > (levels[at - 1] || 0) + 1).length,
    };
}"""

# Wider than the window, beside what may be scrolled by itself.
OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(
    one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll, nav, .hidden, .skip')
).map(one => one.outerHTML.slice(0, 80)).concat(document.documentElement.scrollWidth > innerWidth ? ['page'] : [])"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of made-up figures, as files."""
    folder = tmp_path_factory.mktemp("reports")
    every = found(*MONTHS)
    march = Month(2020, 3)
    made = {
        "trips": whole_page(replace(every, pages=frozenset(["trips", *map(str, MONTHS)]))),
        "month": month_page(march, replace(found(*MONTHS, only=march), pages=frozenset(["trips"]))),
        "empty": whole_page(found()),
    }
    for name, page in made.items():
        (folder / f"{name}.html").write_text(html(page), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with browser(DESK, 900) as page:
        yield page


def look(window: Page, path: Path, width: int, scheme: Any) -> list[str]:
    """Open a page and its tables at this width; what the browser complains of, and what it would fetch."""
    trouble: list[str] = []
    window.on("console", lambda message: trouble.append(message.text))
    window.on("pageerror", lambda error: trouble.append(str(error)))
    window.on("request", lambda request: trouble.append(request.url) if "file://" not in request.url else None)
    window.emulate_media(color_scheme=scheme)
    window.set_viewport_size({"width": width, "height": 900})
    window.goto(path.as_uri())
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    return trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", ["trips", "month", "empty"])
def test_a_page_is_legible(window: Page, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    assert look(window, pages[name], width, scheme) == []
    assert window.evaluate(OVERFLOW) == []
    seen = window.evaluate(CONTRASTS)
    assert seen["texts"]
    assert [text for text in seen["texts"] if text[1] < 4.5] == []
    assert bool(seen["marks"]) == (name != "empty")
    assert [mark for mark in seen["marks"] if mark[1] < 3] == []
    assert [text for text in seen["sizes"] if text[1] < 11] == []


def test_light_and_dark_are_not_the_same(window: Page, pages: dict[str, Path]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        look(window, pages["trips"], DESK, scheme)
        grounds.add(window.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


@pytest.mark.parametrize("name", ["trips", "month", "empty"])
def test_people_who_do_not_see_the_charts_get_names_and_tables(window: Page, pages: dict[str, Path], name: str) -> None:
    look(window, pages[name], DESK, "light")
    structure = window.evaluate(STRUCTURE)
    assert bool(structure.pop("charts")) == (name != "empty")
    assert structure == {
        "language": "en",
        "titles": 1,
        "unnamed": 0,
        "without_table": 0,
        "headless": 0,
        "twice": 0,
        "skipped": 0,
    }


def test_everything_can_be_reached_by_the_keyboard(window: Page, pages: dict[str, Path]) -> None:
    look(window, pages["trips"], DESK, "light")
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    reached = set()
    for _ in range(60):
        window.keyboard.press("Tab")
        reached.add(window.evaluate("document.activeElement.tagName"))
        if window.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    assert {"A", "SUMMARY"} <= reached
    window.keyboard.press("Enter")
    assert window.locator("details[open] table").first.is_visible()


def test_a_picture_of_a_page_is_made(window: Page, pages: dict[str, Path], tmp_path: Path) -> None:
    name = os.environ.get("TAXI_SCREENSHOT")
    target = PROJECT / name if name else tmp_path / "report.png"
    assert look(window, pages["trips"], DESK, "light") == []
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    window.set_viewport_size({"width": DESK, "height": 1480})
    window.screenshot(path=target)
    assert 30_000 < target.stat().st_size < 600_000

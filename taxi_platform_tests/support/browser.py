"""A real Chromium for tests of web pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@contextmanager
def browser(width: int, height: int) -> Iterator[Page]:
    """Yield a page of this size; skip the test if Chromium is not installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            yield chromium.new_page(viewport={"width": width, "height": height})
        finally:
            chromium.close()

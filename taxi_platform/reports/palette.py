"""The colours of everything that is drawn, each for a light and for a dark page, and the fonts."""

import re
from collections.abc import Mapping

from taxi_platform.trips.services import SERVICES

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

# Texts have a contrast of at least 4.5 with every surface, marks of at least 3 (WCAG 2.1); a test measures both.
LIGHT: Mapping[str, str] = {
    "page": "#f5f6f8",
    "card": "#ffffff",
    "ink": "#1b1f27",
    "muted": "#5a6271",
    "line": "#e1e5eb",
    "link": "#1a56c4",
    "notice": "#fff4d9",
    **{service.name: service.colours[0] for service in SERVICES.values()},
    "all": "#2f6fb5",
}
DARK: Mapping[str, str] = {
    "page": "#12151b",
    "card": "#1b2029",
    "ink": "#e9ecf1",
    "muted": "#a3acba",
    "line": "#323a46",
    "link": "#8ab4ff",
    "notice": "#3a3015",
    **{service.name: service.colours[1] for service in SERVICES.values()},
    "all": "#6cb2f5",
}


_NAMED = re.compile(r"var\(--([a-z]+)\)")


def paint(name: str) -> str:
    """A colour by its name, for whatever is drawn: it changes with the page that the drawing is part of."""
    return f"var(--{name})"


def for_light(drawing: str) -> str:
    """A drawing in the colours of a light page, wherever it is."""
    return _NAMED.sub(lambda found: LIGHT[found[1]], drawing)


def stylesheet() -> str:
    """The colours as variables of a stylesheet, for a light page and for who prefers dark ones."""
    return f":root {{ {_variables(LIGHT)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())

"""The layers: a room imports only rooms that stand above it, so that the package can be read from the top down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import taxi_platform

PACKAGE = Path(taxi_platform.__file__).parent

LAYERS = (
    {"errors", "redaction", "retries", "settings", "dagster_private"},
    {"trips"},
    {"sources", "postgres", "bigquery"},
    {"ledger"},
    {"checks", "models", "reports", "assistant", "course", "operations"},
    {"orchestration"},
    {"defs", "instance"},  # instance: names of version 0.1 that a copied dagster.yaml may still hold
    {"definitions"},
    {"cli"},
    {"__main__"},
)
GROUND = LAYERS[0]


def layer(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """Yield the rooms that a module imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from {name.split(".")[1] for name in names if name.startswith("taxi_platform.")}


def wrong_imports() -> set[str]:
    """Return every import of a room that stands below or beside the importing one, as ``file -> room``."""
    return {
        f"{path.relative_to(PACKAGE)} -> {target}"
        for path in PACKAGE.rglob("*.py")
        if room(path) != "__init__"
        for target in imported_rooms(path)
        if target != room(path)
        and (
            (layer(target) >= layer(room(path)) and not {target, room(path)} <= GROUND)
            or target == "definitions" != room(path) != "cli"
        )
    }


def test_a_room_imports_only_rooms_above_it() -> None:
    assert wrong_imports() == set()

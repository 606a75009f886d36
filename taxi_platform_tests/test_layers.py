"""The layers: a module imports only modules of the layers above it, so the package can be read from the top down."""

import ast
import re
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


def layer(module: str) -> int:
    return next(number for number, modules in enumerate(LAYERS) if module in modules)


def module(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a module imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from {name.split(".")[1] for name in names if name.startswith("taxi_platform.")}


def wrong_imports() -> set[str]:
    """Return the imports that break the order of the layers, as ``file -> module``."""
    return {
        f"{path.relative_to(PACKAGE)} -> {target}"
        for path in PACKAGE.rglob("*.py")
        if module(path) != "__init__"
        for target in imported_modules(path)
        if target != module(path)
        and (
            (layer(target) >= layer(module(path)) and not {target, module(path)} <= GROUND)
            or target == "definitions" != module(path) != "cli"
        )
    }


def test_a_module_imports_only_modules_above_it() -> None:
    assert wrong_imports() == set()


def test_dagster_is_not_needed_to_fetch_and_load() -> None:
    fetching = [path for path in PACKAGE.rglob("*.py") if module(path) in LAYERS[1] | LAYERS[2]]
    assert len(fetching) > 40
    assert [path.name for path in fetching if re.search(r"(?:import|from) dagster", path.read_text("utf-8"))] == []


def named_on_the_map() -> Iterator[tuple[list[Path], list[str]]]:
    """Yield the files and the functions that each row of the tables in docs/architecture.md names."""
    rows = (PACKAGE.parent / "docs/architecture.md").read_text("utf-8").partition("## One month")[2]
    for row in rows.partition("## Decisions")[0].splitlines():
        names = re.findall(r"`([\w./]+)`", row.partition("|")[2].partition("|")[2])
        paths = [name for name in names if "/" in name or name.endswith(".py")]
        yield [PACKAGE / path for path in paths], [name for name in names if name not in paths]


def test_the_map_of_the_package_names_files_that_exist_and_functions_that_are_in_them() -> None:
    rows = list(named_on_the_map())
    assert len([files for files, _ in rows if files]) >= 25
    for files, names in rows:
        modules = [module for file in files for module in (file.rglob("*.py") if file.is_dir() else [file])]
        text = "\n".join(module.read_text("utf-8") for module in modules if module.suffix == ".py")
        defined = set(re.findall(r"\b(?:def|class) (\w+)", text))
        assert [name for name in names if not {*name.split(".")} <= defined] == [], files


def test_every_folder_has_a_docstring_that_says_what_belongs_there() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    undescribed = [
        folder.name for folder in folders if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert undescribed == []

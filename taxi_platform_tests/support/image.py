"""deploy/Dockerfile without a builder: its variables, and the files that it copies."""

import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from dockerfile_parse import DockerfileParser

from taxi_platform.settings import PROJECT

FILE = PROJECT / "deploy/Dockerfile"
IGNORED = PROJECT / ".dockerignore"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the last stage with their arguments, e.g. ``("USER", "10001:10001")``."""
    parts = [(part["instruction"], part["value"]) for part in parser().structure if part["instruction"] != "COMMENT"]
    last = max(at for at, (name, _) in enumerate(parts) if name == "FROM")
    return parts[last:]


def environment() -> Mapping[str, str]:
    """Return the variables that the image sets in its containers."""
    return parser().envs


def parser() -> DockerfileParser:
    """Parse the Dockerfile."""
    return DockerfileParser(fileobj=FILE.open("r+b"), cache_content=True)


def unpack(root: Path) -> None:
    """Put the project's files where the image has them, below ``root``."""
    folder = Path("/")
    for name, value in instructions():
        if name == "WORKDIR":
            folder /= value
        elif name == "COPY" and not value.startswith("--from"):
            *sources, target = value.split()
            for source in sources:
                _copy(source, root / (folder / target).relative_to("/"), into=target.endswith("/"))


def is_ignored(path: Path) -> bool:
    """Return whether ``.dockerignore`` hides a file: the last line that matches it or a folder of it decides."""
    ignored = False
    for line in IGNORED.read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").strip()
        if pattern and not pattern.startswith("#") and _fits(path, pattern):
            ignored = not line.startswith("!")
    return ignored


def _fits(path: Path, pattern: str) -> bool:
    return any(fnmatch(str(part), pattern) for part in (path, *path.parents))


def _copy(source: str, target: Path, *, into: bool) -> None:
    """Copy like COPY: a folder's content becomes the target's, a file goes into a target that ends in a slash."""
    start = PROJECT / source
    for path in [start] if start.is_file() else [path for path in start.rglob("*") if path.is_file()]:
        if is_ignored(path.relative_to(PROJECT)):
            continue
        place = target / path.relative_to(start) if start.is_dir() else target / path.name if into else target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)

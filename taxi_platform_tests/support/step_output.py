"""Shows what a step prints from the step's own process, because Dagster starts four processes for that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dagster._core.execution import compute_logs


def repeat_at_the_end() -> None:
    """Let each step of this process, and of those forked from it, print its captured output again when it ends."""
    compute_logs.execute_posix_tail = _repeated


@contextmanager
def _repeated(path: str, stream: TextIO) -> Iterator[tuple[None, None]]:
    yield None, None
    stream.write(Path(path).read_text(encoding="utf-8", errors="replace"))
    stream.flush()

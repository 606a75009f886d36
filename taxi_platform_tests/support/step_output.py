"""What a step prints, repeated by its own process: Dagster starts four processes a step for it, two of them Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dagster._core.execution import compute_logs


def repeat_at_the_end() -> None:
    """Have the steps of this process, and of those forked from it, repeat at their ends what they have printed."""
    compute_logs.execute_posix_tail = _repeated


@contextmanager
def _repeated(path: str, stream: TextIO) -> Iterator[tuple[None, None]]:
    yield None, None
    stream.write(Path(path).read_text(encoding="utf-8", errors="replace"))
    stream.flush()

"""What the platform logs, for tests that read it."""

import logging
import weakref
from collections.abc import Generator
from contextlib import contextmanager


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def collected_log_lines() -> Generator[list[str]]:
    """Collect every line that the platform logs, from any thread."""
    lines: list[str] = []
    logger, collector = logging.getLogger("taxi_platform"), _Collector(lines)
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)


def lines_of_the_log(owner: object) -> list[str]:
    """Return a list that grows with every line that the platform logs, for as long as its owner lives."""
    lines: list[str] = []
    handler, logger = _Collector(lines), logging.getLogger("taxi_platform")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    weakref.finalize(owner, logger.removeHandler, handler)
    return lines

"""One running stack for all tests of this folder, and a year of trips for each."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.services import GREEN, YELLOW
from taxi_platform_tests.integration.stack.year import Year
from taxi_platform_tests.stack import Stack
from taxi_platform_tests.trip_server import TripServer

FIRST, LAST = 2009, 2040


@pytest.fixture(scope="session")
def source() -> Iterator[TripServer]:
    """Where the stack fetches from."""
    with TripServer() as server:
        yield server


@pytest.fixture(scope="session")
def stack(source: TripServer) -> Iterator[Stack]:
    """The services, started once for the tests of a process; whoever kills one starts it again."""
    with Stack(TAXI_SOURCE=source.template, TAXI_FIRST_MONTH=f"{FIRST}-01", TAXI_LAST_MONTH=f"{LAST}-12") as stack:
        yield stack


@pytest.fixture(scope="session")
def years() -> Iterator[int]:
    """Years, each once."""
    return itertools.count(FIRST)


@pytest.fixture
def year(stack: Stack, source: TripServer, years: Iterator[int], tmp_path: Path) -> Year:
    """A year of green and yellow trips that no other test knows."""
    return Year(stack, source, next(years), [GREEN, YELLOW], tmp_path)

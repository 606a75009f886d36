"""One running stack for all tests of this folder, and a year of trips for each."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.trips.services import GREEN, YELLOW
from taxi_platform_tests.support import users
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.year import Year

# For its picture (see test_backfills) the first test gets a year that people know.
FIRST, LAST = ("2019-01", "2021-07") if os.environ.get("TAXI_SCREENSHOT") else ("2009-01", "2040-12")


@pytest.fixture(scope="package")
def source() -> Iterator[TripServer]:
    """Where the stack fetches from."""
    with TripServer() as server:
        yield server


@pytest.fixture(scope="package")
def stack(source: TripServer) -> Iterator[Stack]:
    """The services, started once for the tests of this folder, and ended after them, for they are never idle."""
    months = {"TAXI_FIRST_MONTH": FIRST, "TAXI_LAST_MONTH": LAST}
    variables = {"TAXI_SOURCE": source.template, **months, **users.variables()}
    profiles = ["auth"] if users.CAN_LOG_IN else []
    with Stack(*profiles, disks={"data": 64, "postgres": 800}, **variables) as stack:
        yield stack


@pytest.fixture(scope="package")
def years() -> Iterator[int]:
    """Years, each once."""
    return itertools.count(int(FIRST[:4]))


@pytest.fixture
def year(stack: Stack, source: TripServer, years: Iterator[int], tmp_path: Path) -> Year:
    """Seven months of green and yellow trips of a year that no other test knows."""
    return Year(stack, source, next(years), [GREEN, YELLOW], tmp_path, range(1, 8))

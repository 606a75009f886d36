"""A source that is away for a minute is waited for, on a clock that a test turns forward."""

import pytest

from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

MINUTE = 60.0


class Clock:
    """Waits for a source without taking the time.

    Args:
        server: it is away from now on.
        outage: for how many seconds of sleep.
    """

    def __init__(self, server: TripServer, outage: float) -> None:
        self.slept = 0.0
        self._server = server
        self._outage = outage
        server.away.set()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.slept >= self._outage:
            self._server.away.clear()


@pytest.mark.parametrize(("minutes", "is_loaded"), [(1, True), (2, True), (10, False)])
def test_a_source_that_is_away_for_a_minute_is_waited_for_and_one_that_stays_away_is_given_up(
    minutes: int, is_loaded: bool, platform: Platform, server: TripServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.publish("/green/green_tripdata_2019-03.csv.gz", zipped(text(GREEN, rows(GREEN, 50))))
    platform.use(TAXI_SOURCE=server.template)
    clock = Clock(server, minutes * MINUTE)
    monkeypatch.setattr("taxi_platform.retries.sleep", clock.sleep)
    run = platform.run("green_tripdata", month="2019-03")
    assert (run.succeeded, run.months("green_tripdata") == ["2019-03"]) == (is_loaded, is_loaded)
    assert (clock.slept >= minutes * MINUTE) == is_loaded
    assert clock.slept < 5 * MINUTE

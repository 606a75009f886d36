"""Transient failures: the step tries again, records each month once, logs it, and gives up in the end."""

from collections.abc import Callable

import pytest

from taxi_platform import retries
from taxi_platform.errors import DatabaseInterrupted, NotPublished, SourceUnreachable
from taxi_platform.orchestration import trip_io as io_manager
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import Answer, Published, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

MONTHS = "2019-01...2019-03"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that makes loads fail with errors by month, in their order, and returns the tried months."""

    def arrange(**errors: list[BaseException]) -> list[str]:
        real, tried = io_manager.load_month, []

        def load_month(url, file, **options):
            month = str(file.month)
            tried.append(month)
            waiting = errors.get("m" + month.replace("-", "_"), [])
            if waiting:
                raise waiting.pop(0)
            return real(url, file, **options)

        monkeypatch.setattr(io_manager, "load_month", load_month)
        return tried

    return arrange


def away(month: str = "x") -> DatabaseInterrupted:
    return DatabaseInterrupted(month, "PostgreSQL went away")


def test_a_transient_failure_only_costs_a_wait(
    platform: Platform, no_waits: list[float], failing: Callable[..., list[str]]
) -> None:
    tried = failing(m2019_02=[away()])
    run = platform.run("green_tripdata", months=MONTHS)
    assert run.succeeded
    assert tried == ["2019-01", "2019-02", "2019-02", "2019-03"]
    assert no_waits == [15.0]
    assert sorted(run.months("green_tripdata")) == ["2019-01", "2019-02", "2019-03"]
    assert not any(run.of("green_tripdata", f"2019-0{month}")["unchanged"] for month in (1, 2, 3))
    assert "green 2019-02: PostgreSQL went away; attempt 2 of 3 in 15.0 s" in [entry.user_message for entry in run.log]


@pytest.mark.parametrize("change", ["refreshed", "removed"])
def test_a_file_that_is_refreshed_or_removed_before_it_is_loaded_is_loaded_in_its_new_version(
    change: str, platform: Platform, server: TripServer, no_waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/green/green_tripdata_2019-03.csv.gz"
    server.publish(path, zipped(text(GREEN, rows(GREEN, 10))))
    platform.use(TAXI_SOURCE=server.template)
    cache = Cache(settings().data_dir / "raw", source_named(server.template))
    real, attempts = io_manager.load_month, []

    def load_month(url, file, **options):
        if not attempts:
            server.publish(path, Published(zipped(text(GREEN, rows(GREEN, 7))), etag='"v2"'))
            file.path.unlink()
            if change == "refreshed":
                cache.get(GREEN, file.month, "refresh")
        attempts.append(file.rows)
        return real(url, file, **options)

    monkeypatch.setattr(io_manager, "load_month", load_month)
    run = platform.run("green_tripdata", month="2019-03")
    assert run.succeeded
    assert attempts == [10, 7]
    assert platform.count("green_tripdata") == 7


def test_a_lasting_failure_fails_its_month_once_after_the_last_wait(
    platform: Platform, no_waits: list[float], failing: Callable[..., list[str]]
) -> None:
    tried = failing(m2019_02=[away()] * 9, m2019_03=[away()] * 9)
    run = platform.run("green_tripdata", months=MONTHS)
    # After that, other months that need the same server are tried once, without a wait.
    assert tried == ["2019-01", "2019-02", "2019-02", "2019-02", "2019-03"]
    assert no_waits == [15.0, 60.0]
    assert run.failure.startswith("2 of 3 months of green failed. The other one is in place and recorded.")
    assert "\n2019-02: " in run.failure
    assert run.months("green_tripdata") == ["2019-01"]


@pytest.mark.parametrize("lasting", [NotPublished("x", "it is not there"), SourceUnreachable("x", "leave me alone")])
def test_a_failure_that_is_not_transient_is_not_tried_again(
    lasting: NotPublished | SourceUnreachable,
    platform: Platform,
    no_waits: list[float],
    failing: Callable[..., list[str]],
) -> None:
    if isinstance(lasting, SourceUnreachable):
        lasting.retry_after = 3600
    tried = failing(m2019_02=[lasting])
    assert not platform.run("green_tripdata", months=MONTHS).succeeded
    assert tried == ["2019-01", "2019-02", "2019-03"]
    assert no_waits == []


def test_a_run_that_is_ended_while_it_waits_has_recorded_the_loaded_months(
    platform: Platform, failing: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retries, "sleep", ended)
    failing(m2019_02=[away()] * 9)
    assert not platform.run("green_tripdata", months=MONTHS).succeeded
    assert platform.recorded("green_tripdata") == {"2019-01"}


NAME = "green_tripdata_2019-03.csv.gz"


@pytest.mark.parametrize(("minutes", "is_loaded"), [(2, True), (10, False)])
def test_a_source_that_is_away_for_minutes_is_waited_for_and_then_given_up(
    minutes: int, is_loaded: bool, platform: Platform, server: TripServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if sum(waits) >= minutes * 60:
            server.away.clear()

    server.publish(f"/green/{NAME}", zipped(text(GREEN, rows(GREEN, 50))))
    server.away.set()
    platform.use(TAXI_SOURCE=server.template)
    monkeypatch.setattr(retries, "sleep", sleep)
    assert platform.run("green_tripdata", month="2019-03").succeeded == is_loaded
    assert sum(waits) < 300


def test_what_the_platform_logs_from_any_module_and_thread_is_in_the_log_of_the_run(
    platform: Platform, server: TripServer, no_waits: list[float]
) -> None:
    content = zipped(text(GREEN, rows(GREEN, 50)))
    server.publish(f"/green/{NAME}", content)
    server.script(f"/green/{NAME}", Answer(status=503))
    platform.use(TAXI_SOURCE=server.template)
    lines = [entry.user_message for entry in platform.run("green_tripdata", month="2019-03").log]
    retried = "could not be read: the server answers 503 Service Unavailable; attempt 2 of 6 in "
    assert [line for line in lines if line.startswith(f"{NAME}: ") and retried in line]
    assert lines.count(f"{NAME}: 50 rows in {len(content):,} bytes, verified and kept") == 1

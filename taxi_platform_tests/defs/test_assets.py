"""The assets as Dagster runs them: which months are loaded, recorded and named, with a real server and database."""

import hashlib
from pathlib import Path

import pytest

from taxi_platform.ledger.event_metadata import trips_schema
from taxi_platform.orchestration import trip_io as io_manager
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, FHVHV, GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import Published, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped


def path(month: str) -> str:
    return f"/green/green_tripdata_{month}.csv.gz"


def file(count: int) -> bytes:
    """Return a file with ``count`` trips; it passes for any month, because its pickups are not checked here."""
    return zipped(text(GREEN, rows(GREEN, count)))


@pytest.fixture
def published(server: TripServer, platform: Platform) -> TripServer:
    """Publish the first months of 2019, with 10, 20 … trips, on a server that is the platform's source."""
    for month in Month(2019, 1).through(Month(2019, 6)):
        server.publish(path(str(month)), file(10 * month.month))
    platform.use(TAXI_SOURCE=server.template)
    return server


def asked(server: TripServer, month: str) -> list[str]:
    return [request.method for request in server.requests if request.path == path(month)]


# One month


@pytest.mark.parametrize("service", [FHV, FHVHV], ids=str)  # all other tests load the other two
def test_one_month_alone_is_fetched_loaded_and_recorded_for_both_assets(service, platform: Platform) -> None:
    run = platform.run(service.table, month="2019-03")
    assert run.succeeded
    assert platform.recorded(service.table) == {"2019-03"}
    assert platform.recorded(f"raw/{service.table}") == {"2019-03"}
    metadata = run.of(service.table, "2019-03")
    assert 0 < metadata["rows_loaded"] == metadata["rows_in_file"] == platform.count(service.table)
    assert run.of(f"raw/{service.table}", "2019-03")["sha256"] == metadata["sha256"]


def test_a_cached_raw_file_is_neither_requested_nor_recorded_again(published: TripServer, platform: Platform) -> None:
    assert platform.run("raw/green_tripdata", month="2019-03").months("raw/green_tripdata") == ["2019-03"]
    requests = len(published.requests)
    run = platform.run("green_tripdata", month="2019-03")
    assert run.months("raw/green_tripdata") == []
    assert run.months("green_tripdata") == ["2019-03"]
    assert len(published.requests) == requests
    assert platform.count("green_tripdata") == 30


def test_a_raw_file_is_cached_as_published_and_recorded_with_its_provenance(
    published: TripServer, platform: Platform, tmp_path: Path
) -> None:
    content = file(30)
    run = platform.run("raw/green_tripdata", month="2019-03")
    kept = tmp_path / "raw/green/green_tripdata_2019-03.csv.gz"
    assert kept.read_bytes() == content
    metadata = run.of("raw/green_tripdata", "2019-03")
    assert metadata.pop("seconds") > 0
    plain = len(text(GREEN, rows(GREEN, 30)))
    assert metadata == {
        "source": published.url + path("2019-03"),
        "file": kept.name,
        "path": str(kept),
        "rows_in_file": 30,
        "file_bytes": len(content),
        "file_mib": round(len(content) / 2**20, 1),
        "csv_bytes": plain,
        "csv_mib": round(plain / 2**20, 1),
        "sha256": hashlib.sha256(content).hexdigest(),
        "etag": '"v1"',
        "modified": "Tue, 02 Apr 2019 10:00:00 GMT",
        "unchanged": False,
        "dagster/partition_row_count": 30,
    }
    assert platform.rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


def test_file_and_table_chosen_together_are_one_run_with_one_download(
    published: TripServer, platform: Platform
) -> None:
    run = platform.run("raw/green_tripdata", "green_tripdata", month="2019-02")
    assert run.succeeded
    assert (run.months("raw/green_tripdata"), run.months("green_tripdata")) == (["2019-02"], ["2019-02"])
    assert asked(published, "2019-02") == ["GET"]
    assert platform.count("green_tripdata") == 20


# A range


def test_each_month_of_a_range_is_recorded_with_its_metadata(published: TripServer, platform: Platform) -> None:
    platform.run("green_tripdata", month="2019-06")
    run = platform.run("green_tripdata", months="2019-01...2019-03")
    assert run.succeeded
    assert run.months("green_tripdata") == ["2019-01", "2019-02", "2019-03"]
    assert run.months("raw/green_tripdata") == ["2019-01", "2019-02", "2019-03"]
    database = platform.database.rsplit("/", 1)[1].partition("?")[0]
    for number in (1, 2, 3):
        month, content = f"2019-0{number}", file(10 * number)
        metadata = run.of("green_tripdata", month)
        seconds, speed = metadata.pop("seconds"), metadata.pop("rows_per_second")
        assert speed == pytest.approx(10 * number / seconds, rel=0.05)
        assert metadata == {
            "source": published.url + path(month),
            "file": f"green_tripdata_{month}.csv.gz",
            "rows_in_file": 10 * number,
            "file_bytes": len(content),
            "file_mib": 0.0,
            "csv_bytes": len(text(GREEN, rows(GREEN, 10 * number))),
            "csv_mib": 0.0,
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows_loaded": 10 * number,
            "rows_rejected": 0,
            "table": "public.green_tripdata",
            "partition_table": f"public.green_tripdata_2019_0{number}",
            "unchanged": False,
            "dagster/partition_row_count": 10 * number,
            "dagster/row_count": 60 + sum(range(10, 10 * number + 1, 10)),
            "dagster/relation_identifier": f"{database}.public.green_tripdata",
            "dagster/column_schema": trips_schema(GREEN),
        }
        assert platform.count("green_tripdata", month) == 10 * number


def test_a_range_is_loaded_from_its_newest_month_when_that_is_configured(
    published: TripServer, platform: Platform
) -> None:
    run = platform.run("green_tripdata", months="2019-02...2019-04", config={"green_tripdata": {"newest_first": True}})
    assert run.succeeded
    assert [path[-14:-7] for path in (request.path for request in published.requests)] == [
        "2019-04",
        "2019-03",
        "2019-02",
    ]
    assert platform.recorded("green_tripdata") == {"2019-02", "2019-03", "2019-04"}


def test_a_run_that_ends_half_way_has_recorded_the_loaded_months(
    published: TripServer, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_month = io_manager.load_month

    def load_two(url, file, **options):
        if file.month == Month(2019, 3):
            raise MemoryError
        return load_month(url, file, **options)

    monkeypatch.setattr(io_manager, "load_month", load_two)
    assert not platform.run("green_tripdata", months="2019-01...2019-04").succeeded
    assert platform.recorded("green_tripdata") == {"2019-01", "2019-02"}
    assert platform.count("green_tripdata") == 10 + 20


@pytest.mark.parametrize("asset", ["green_tripdata", "raw/green_tripdata"])
def test_bad_months_of_a_range_are_named_and_do_not_stop_the_others(
    asset: str, published: TripServer, platform: Platform
) -> None:
    published.publish(path("2019-02"), file(20)[:-100])
    run = platform.run(asset, months="2019-01...2019-08")
    assert not run.succeeded
    good = {"2019-01", "2019-03", "2019-04", "2019-05", "2019-06"}
    assert platform.recorded(asset) == platform.recorded("raw/green_tripdata") == good
    assert run.of(asset, "2019-06")["dagster/partition_row_count"] == 60
    first, *reasons = run.failure.splitlines()
    others = "3 of 8 months of green failed. The other 5 are in place and recorded."
    checks = " Run their checks, which this run leaves out: dagster job execute -j green_tripdata_checks_job"
    assert first == others + (checks if asset == "green_tripdata" else "")
    assert [reason[:7] for reason in reasons] == ["2019-02", "2019-07", "2019-08"]
    assert "cut off" in reasons[0]
    assert published.url + path("2019-02") in reasons[0]
    assert "404" in reasons[1]
    assert published.url + path("2019-07") in reasons[1]
    assert asked(published, "2019-07") == ["GET"]
    if asset == "green_tripdata":
        assert {month[0][-11:-4] for month in platform.rows("select filename from tripdata_files")} == good
        assert platform.count("green_tripdata") == 10 + 30 + 40 + 50 + 60


def test_a_loaded_month_stays_loaded_and_recorded_when_its_new_file_fails(
    published: TripServer, platform: Platform
) -> None:
    platform.run("green_tripdata", month="2019-03")
    published.publish(path("2019-03"), Published(b"<html>Sign in</html>", etag='"v2"'))
    run = platform.run("raw/green_tripdata", "green_tripdata", month="2019-03")
    assert not run.succeeded
    assert run.months("green_tripdata") == []
    assert "green_tripdata_2019-03.csv" in run.failure
    assert platform.recorded("green_tripdata") == {"2019-03"}
    assert platform.count("green_tripdata", "2019-03") == 30


# Loading again


def test_a_loaded_month_is_loaded_again_only_when_forced(published: TripServer, platform: Platform) -> None:
    first = platform.run("green_tripdata", months="2019-01...2019-02")
    before = platform.rows("select filename, loaded_at from tripdata_files order by 1")
    again = platform.run("green_tripdata", months="2019-01...2019-02")
    assert platform.rows("select filename, loaded_at from tripdata_files order by 1") == before
    for month in ("2019-01", "2019-02"):
        metadata = again.of("green_tripdata", month)
        assert metadata["unchanged"] is True
        assert metadata["rows_loaded"] == first.of("green_tripdata", month)["rows_loaded"]
        assert metadata["rows_per_second"] == 0
    assert again.months("raw/green_tripdata") == []
    assert len(published.requests) == 2
    forced = platform.run("green_tripdata", month="2019-01", config={"green_tripdata": {"force": True}})
    assert forced.of("green_tripdata", "2019-01")["unchanged"] is False
    assert platform.rows("select max(loaded_at) from tripdata_files") > [before[-1][1:]]
    assert platform.count("green_tripdata", "2019-01") == 10


def test_a_cached_raw_file_is_fetched_again_only_when_forced(published: TripServer, platform: Platform) -> None:
    platform.run("raw/green_tripdata", month="2019-01")
    run = platform.run("raw/green_tripdata", month="2019-01")
    assert run.of("raw/green_tripdata", "2019-01")["unchanged"] is True
    assert asked(published, "2019-01") == ["GET", "HEAD"]
    run = platform.run("raw/green_tripdata", month="2019-01", config={"raw/green_tripdata": {"force": True}})
    assert run.of("raw/green_tripdata", "2019-01")["unchanged"] is False
    assert asked(published, "2019-01").count("GET") == 2


def test_a_file_that_was_corrected_at_its_source_corrects_the_table(published: TripServer, platform: Platform) -> None:
    platform.run("green_tripdata", months="2019-01...2019-02")
    published.publish(path("2019-01"), Published(file(7), etag='"v2"'))
    assert platform.run("green_tripdata", month="2019-01").of("green_tripdata", "2019-01")["unchanged"] is True
    run = platform.run("raw/green_tripdata", "green_tripdata", month="2019-01")
    assert run.of("raw/green_tripdata", "2019-01")["unchanged"] is False
    assert run.of("green_tripdata", "2019-01")["rows_loaded"] == 7
    assert platform.count("green_tripdata", "2019-01") == 7
    assert platform.count("green_tripdata", "2019-02") == 20


def test_a_file_that_a_killed_run_fetched_is_recorded_by_the_next_run_that_loads_it(
    published: TripServer, platform: Platform
) -> None:
    platform.run("raw/green_tripdata", "green_tripdata", month="2019-01")
    published.publish(path("2019-01"), Published(file(7), etag='"v2"'))
    cache = Cache(settings().data_dir / "raw", source_named(settings().source))
    assert cache.get(GREEN, Month(2019, 1), "refresh").is_new
    run = platform.run("green_tripdata", month="2019-01")
    assert run.of("raw/green_tripdata", "2019-01")["etag"] == '"v2"'
    assert run.of("green_tripdata", "2019-01")["rows_loaded"] == 7
    assert platform.run("green_tripdata", month="2019-01").months("raw/green_tripdata") == []


def test_a_range_refreshes_only_the_named_months(published: TripServer, platform: Platform) -> None:
    platform.run("green_tripdata", months="2019-01...2019-03")
    for month in ("2019-01", "2019-02"):
        published.publish(path(month), Published(file(7), etag='"v2"'))
    run = platform.run(
        "green_tripdata", months="2019-01...2019-03", config={"green_tripdata": {"refresh": ["2019-02"]}}
    )
    assert {month: asked(published, month) for month in ("2019-01", "2019-02", "2019-03")} == {
        "2019-01": ["GET"],
        "2019-02": ["GET", "HEAD", "GET"],
        "2019-03": ["GET"],
    }
    assert run.months("raw/green_tripdata") == ["2019-02"]
    assert platform.count("green_tripdata") == 10 + 7 + 30


# Bad rows


def test_bad_rows_fail_their_month_unless_they_are_quarantined(server: TripServer, platform: Platform) -> None:
    lines = rows(GREEN, 10)
    lines[4] = with_field(GREEN, lines[4], "trip_distance", "far")
    server.publish(path("2019-03"), zipped(text(GREEN, lines)))
    platform.use(TAXI_SOURCE=server.template)
    failed = platform.run("green_tripdata", month="2019-03")
    assert "line 6" in failed.failure
    assert "far" in failed.failure
    assert platform.recorded("green_tripdata") == set()
    platform.use(TAXI_ON_BAD_ROWS="quarantine", TAXI_MAX_BAD_ROWS="0.1")
    metadata = platform.run("green_tripdata", month="2019-03").of("green_tripdata", "2019-03")
    assert (metadata["rows_in_file"], metadata["rows_loaded"], metadata["rows_rejected"]) == (10, 9, 1)
    assert platform.count("green_tripdata") == 9
    assert platform.rows("select filename, line, text from green_tripdata_rejects") == [
        ("green_tripdata_2019-03.csv", 6, lines[4])
    ]


# Labels


def test_a_run_labels_itself_with_all_that_it_loads(platform: Platform) -> None:
    run = platform.run("raw/yellow_tripdata", "yellow_tripdata", "green_tripdata", month="2019-03")
    assert run.labels() == {
        "taxi": "green,yellow",
        "file": "green_tripdata_2019-03.csv,yellow_tripdata_2019-03.csv",
        "trigger": "manual",
    }

"""The TLC's source and the default source on a local server: editions, 403, responses that are not Parquet."""

from pathlib import Path

import pytest

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.http import CourseThenTlc, HttpSource, TlcSource
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

JULY, AUGUST = Month(2021, 7), Month(2021, 8)
PATH = "/trip-data/green_tripdata_2021-08.parquet"


def tlc_of(server: TripServer) -> TlcSource:
    return TlcSource(server.url + "/trip-data/{service}_tripdata_{month}.parquet")


def cache_of(server: TripServer, folder: Path) -> Cache:
    return Cache(folder, CourseThenTlc(server.template, tlc_of(server)))


def test_each_month_comes_in_its_edition_and_is_cached_unchanged(server: TripServer, tmp_path: Path) -> None:
    contents = zipped(text(GREEN, rows(GREEN, 5))), parquet(GREEN, rows(GREEN, 7))
    server.publish("/green/green_tripdata_2021-07.csv.gz", contents[0])
    server.publish(PATH, contents[1])
    files = [cache_of(server, tmp_path).get(GREEN, month).file for month in (JULY, AUGUST)]
    assert [(file.name, file.edition, file.rows) for file in files] == [
        ("green_tripdata_2021-07.csv.gz", "csv", 5),
        ("green_tripdata_2021-08.parquet", "parquet", 7),
    ]
    assert tuple(file.path.read_bytes() for file in files) == contents
    assert not cache_of(server, tmp_path).get(GREEN, AUGUST, "refresh").is_new


def test_another_edition_is_another_file(server: TripServer, tmp_path: Path) -> None:
    server.publish("/green/green_tripdata_2021-07.csv.gz", zipped(text(GREEN, rows(GREEN, 5))))
    server.publish("/trip-data/green_tripdata_2021-07.parquet", parquet(GREEN, rows(GREEN, 7)))
    cache_of(server, tmp_path).get(GREEN, JULY)
    fetched = Cache(tmp_path, tlc_of(server)).get(GREEN, JULY)
    assert fetched.is_new
    assert fetched.file.rows == 7
    known = Cache(tmp_path, tlc_of(server)).cached(GREEN, JULY)
    assert known
    assert known.edition == "parquet"


def test_a_403_means_not_published_from_the_tlc_and_denied_from_other_servers(
    server: TripServer, tmp_path: Path
) -> None:
    address = server.url + PATH
    for ask in (lambda source: source.version(address), lambda source: source.fetch(address, tmp_path / "part")):
        for source, error in ((tlc_of(server), NotPublished), (HttpSource(server.template), AccessDenied)):
            server.script(PATH, Answer(status=403), Answer(status=403))
            with pytest.raises(error, match="answers 403"):
                ask(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Please log in</html>", "web page"),
        (b"PAR1 and then nothing", "its footer is missing: the file was cut off"),
        (zipped(b"a,b\n1,2\n"), "it is not a Parquet file, but gzip data"),
    ],
)
def test_a_response_that_is_not_parquet_is_refused_and_not_cached(
    server: TripServer, tmp_path: Path, content: bytes, message: str
) -> None:
    server.publish(PATH, content)
    with pytest.raises(DamagedFile, match=message):
        cache_of(server, tmp_path).get(GREEN, AUGUST)
    assert not list(tmp_path.glob("*/*.parquet"))


def test_a_download_that_breaks_off_is_continued(server: TripServer, tmp_path: Path) -> None:
    content = parquet(GREEN, rows(GREEN, 3000))
    server.publish(PATH, content)
    server.script(PATH, Answer(cut_after=20_000))
    file = cache_of(server, tmp_path).get(GREEN, AUGUST).file
    assert file.path.read_bytes() == content
    assert server.requests[-1].headers["range"].startswith("bytes=")

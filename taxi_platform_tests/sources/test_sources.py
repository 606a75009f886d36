"""Sources without a server: addresses, folders, and which source a setting chooses."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished, StorageFull
from taxi_platform.redaction import public
from taxi_platform.settings import PROJECT, RELEASE
from taxi_platform.sources import folder as folders
from taxi_platform.sources.folder import FolderSource
from taxi_platform.sources.http import HttpSource, PartialFile
from taxi_platform.sources.sample import SampleSource
from taxi_platform.sources.source import source_named
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import read_chunks
from taxi_platform.trips.services import GREEN

MARCH = Month(2019, 3)
NAME = "green_tripdata_2019-03.csv"
ROWS = b"VendorID\r\n2\r\n" * 1000

# Addresses


@pytest.mark.parametrize(
    ("template", "zones"),
    [
        (RELEASE, "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/misc/taxi_zone_lookup.csv"),
        ("http://h/{service}/{month}.csv", "http://h/misc/taxi_zone_lookup.csv"),
        ("http://h/trips/{service}_{month}.csv", "http://h/trips/taxi_zone_lookup.csv"),
        ("http://h/{service}_{month}.csv", "http://h/taxi_zone_lookup.csv"),
        ("http://h/trips/{month}/{service}.csv", "http://h/trips/taxi_zone_lookup.csv"),
        ("http://h/a/{service}-trips/{month}.csv", "http://h/a/taxi_zone_lookup.csv"),
    ],
)
def test_the_zone_lookup_lies_in_the_folder_that_all_trips_share(template: str, zones: str) -> None:
    assert HttpSource(template).zones() == zones


@pytest.mark.parametrize(
    "template",
    [
        "http://h/{service}_{month}_{year}.csv",
        "http://h/{service}_{month:>9}.csv",
        "http://h/{service}_{month}{.csv",
        "http://h/{service}.csv.gz",
        "http://h/{month}.csv.gz",
        "http://{service}/{service}_{month}.csv",
        "http://h/{service}/{month}.zip",
        "http:///{service}/{month}.csv",
        "https:/h/{service}/{month}.csv",
        "http://h:port/{service}/{month}.csv",
        "http://[::1/{service}/{month}.csv",
        "http://h /{service}/{month}.csv",
        "ftp://h/{service}/{month}.csv",
        "://h/{service}/{month}.csv",
    ],
)
def test_an_address_that_is_not_that_of_a_trip_file_is_refused_with_an_example(template: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        source_named(template)
    message = str(caught.value)
    assert message.startswith(f"TAXI_SOURCE={template}: it is not the address of a trip file: ")
    assert "https://host/{service}/{service}_tripdata_{month}.csv.gz" in message


def test_credentials_are_not_part_of_addresses() -> None:
    source = HttpSource("https://ann:p%40ss@host:8443/{service}/{month}.csv")
    assert source.trips(GREEN, MARCH) == "https://host:8443/green/2019-03.csv"


@pytest.mark.parametrize(
    "template",
    [
        *(
            f"https://{user}@host/no-placeholders.csv"
            for user in ("ann:secret", "ann:sec@ret", "ann:sec/ret", "secret")
        ),
        "https://host/{service}/{month}.csv.gz?sv=1&sig=secret",
        "https://host/{service}/{month}.csv.gz?api_key=secret",
        "https://host/{service}/{month}.csv#secret",
        "https:/host/{service}/{month}.csv?sig=secret",
        "https:/ann:secret@host/{service}/{month}.csv",
    ],
)
def test_a_refused_address_does_not_show_its_credentials_or_its_query(template: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        source_named(template)
    assert "ret" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["C", "Z"]), min_size=1))
def test_no_password_is_shown(password: str) -> None:
    assert public(f"https://ann:{password}@host/a@b/file.csv") == "https://***@host/a@b/file.csv"
    assert public(f"https://host/file.csv?signature={password}") == "https://host/file.csv"


# Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trips"
    folder.mkdir()
    (folder / NAME).write_bytes(ROWS)
    return folder


def test_the_compressed_file_of_a_folder_is_preferred(folder: Path) -> None:
    source = FolderSource(folder)
    assert source.trips(GREEN, MARCH) == str(folder / NAME)
    (folder / f"{NAME}.gz").touch()
    assert source.trips(GREEN, MARCH) == str(folder / f"{NAME}.gz")


def test_a_month_that_a_folder_lacks_is_named_with_both_names_that_were_tried(folder: Path) -> None:
    with pytest.raises(NotPublished) as caught:
        FolderSource(folder).trips(GREEN, Month(2019, 4))
    assert f"{folder} has no green_tripdata_2019-04.csv.gz and no green_tripdata_2019-04.csv" in str(caught.value)


def test_the_zone_lookup_of_a_folder_lies_beside_its_trips(folder: Path) -> None:
    with pytest.raises(NotPublished, match=r"has no taxi_zone_lookup\.csv"):
        FolderSource(folder).zones()
    (folder / "taxi_zone_lookup.csv").touch()
    assert FolderSource(folder).zones() == str(folder / "taxi_zone_lookup.csv")


def test_every_method_reports_a_folder_that_is_gone(tmp_path: Path) -> None:
    source = FolderSource(tmp_path / "gone")
    attempts: list[Callable[[], object]] = [
        lambda: source.trips(GREEN, MARCH),
        source.zones,
        lambda: source.version(str(tmp_path / "gone" / NAME)),
        lambda: source.fetch(str(tmp_path / "gone" / NAME), tmp_path / "copy"),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidSetting, match=f"TAXI_SOURCE={tmp_path / 'gone'}: there is no such folder"):
            attempt()


def test_a_copy_equals_its_file_and_no_other_file_is_left(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy" / NAME
    target.parent.mkdir()
    target.write_bytes(b"what an earlier fetch left")
    source = FolderSource(folder)
    assert source.fetch(str(folder / NAME), target) == source.version(str(folder / NAME))
    assert target.read_bytes() == ROWS
    assert list(target.parent.iterdir()) == [target]


def test_a_copy_that_was_interrupted_is_made_from_the_start(folder: Path, tmp_path: Path) -> None:
    source, target = FolderSource(folder), tmp_path / "copy"
    partial = PartialFile(target, str(folder / NAME))
    partial.start(source.version(str(folder / NAME)))
    target.write_bytes(ROWS[:100])
    source.fetch(str(folder / NAME), target)
    assert target.read_bytes() == ROWS


def test_every_change_of_a_file_is_another_version(folder: Path) -> None:
    source, path = FolderSource(folder), folder / NAME
    before = source.version(str(path))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    touched = source.version(str(path))
    path.write_bytes(ROWS + b"1\r\n")
    assert len({before.etag, touched.etag, source.version(str(path)).etag}) == 3
    assert before.bytes == len(ROWS)


@pytest.mark.parametrize("written", [ROWS[:-1], ROWS + b"1\r\n", ROWS.swapcase()])
def test_a_file_that_changes_while_it_is_copied_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    path = folder / NAME

    def read_while_it_changes(source: Path, size: int) -> Iterator[bytes]:
        yield from read_chunks(source, size)
        path.write_bytes(written)

    monkeypatch.setattr(folders, "read_chunks", read_while_it_changes)
    with pytest.raises(DamagedFile, match="changed while it was copied"):
        FolderSource(folder).fetch(str(path), tmp_path / "copy")


@contextmanager
def without_privileges() -> Generator[None, None, None]:
    """Switch to the user nobody for a while if the tests run as root, who may read every file."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_is_denied() -> None:
    with tempfile.TemporaryDirectory() as place:  # the user nobody may not enter pytest's own folders
        folder = Path(place)
        folder.chmod(0o777)
        (folder / NAME).write_bytes(ROWS)
        (folder / NAME).chmod(0)
        with without_privileges(), pytest.raises(AccessDenied, match="may not be read"):
            FolderSource(folder).fetch(str(folder / NAME), folder / "copy")


def test_a_folder_that_may_not_be_searched_is_denied() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / NAME).write_bytes(ROWS)
        folder.chmod(0)
        with without_privileges(), pytest.raises(AccessDenied, match="may not be read"):
            FolderSource(folder).trips(GREEN, MARCH)
        folder.chmod(0o700)


def test_the_error_names_the_target_of_a_copy_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageFull, match=r"missing/copy cannot be written: no such file or directory"):
        FolderSource(folder).fetch(str(folder / NAME), tmp_path / "missing" / "copy")


# Which source a setting chooses


def test_a_path_means_a_folder_and_may_be_relative_to_the_project(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (str(folder), "~/trips", os.path.relpath(folder, PROJECT)):
        assert source_named(text).trips(GREEN, MARCH) == str(folder / NAME)


def test_an_address_means_a_server() -> None:
    source = source_named(" http://h/{service}_{month}.parquet\n")
    assert isinstance(source, HttpSource)
    assert source.trips(GREEN, MARCH) == "http://h/green_2019-03.parquet"


@pytest.mark.parametrize("short_timeouts", [False, True])
def test_the_default_is_the_courses_release_and_then_the_tlc(short_timeouts: bool) -> None:
    source = source_named(RELEASE, short_timeouts=short_timeouts)
    course, tlc = (
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download",
        "https://d37ci6vzurychx.cloudfront.net",
    )
    assert source.trips(GREEN, Month(2021, 7)) == f"{course}/green/green_tripdata_2021-07.csv.gz"
    assert source.trips(GREEN, Month(2021, 8)) == f"{tlc}/trip-data/green_tripdata_2021-08.parquet"
    assert source.zones() == f"{course}/misc/taxi_zone_lookup.csv"


def test_tlc_means_parquet_for_every_month() -> None:
    source = source_named("tlc")
    assert (
        source.trips(GREEN, MARCH) == "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_2019-03.parquet"
    )
    assert source.zones() == "https://d37ci6vzurychx.cloudfront.net/misc/taxi_zone_lookup.csv"


@pytest.mark.parametrize("text", ["sample", "sample:1", "sample:0.1", "sample:10", "sample:1e-3"])
def test_sample_means_the_sample_with_or_without_a_scale(text: str) -> None:
    assert isinstance(source_named(text), SampleSource)


@pytest.mark.parametrize("scale", ["", "0", "-1", "10.1", "nan", "inf", "much"])
def test_an_impossible_scale_is_refused(scale: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^TAXI_SOURCE=sample:.*: the scale of the sample"):
        source_named(f"sample:{scale}")


@pytest.mark.parametrize("text", ["", " ", "samples", "/no/such/folder", "~nobody-at-all/x", "a\0b"])
def test_an_invalid_source_is_refused_with_the_three_kinds_that_are_valid(text: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        source_named(text)
    message = str(caught.value)
    assert message.startswith(f"TAXI_SOURCE={text.strip()}: ")
    for kind in ("an address with placeholders", "an existing folder", "sample:0.1"):
        assert kind in message


def test_a_file_is_not_a_folder(folder: Path) -> None:
    with pytest.raises(InvalidSetting, match="there is no folder"):
        source_named(str(folder / NAME))


def test_choosing_a_source_imports_no_http_library() -> None:
    program = (
        "import sys\n"
        "from taxi_platform.settings import RELEASE\n"
        "from taxi_platform.sources.source import source_named\n"
        "source_named(RELEASE); source_named('tlc')\n"
        "print([name for name in ('requests', 'tenacity', 'urllib3') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"

"""The cache in front of a real folder: what is cached, when it is fetched again, what is refused."""

import gzip
import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from taxi_platform.errors import DamagedFile, SchemaMismatch, StorageFull
from taxi_platform.sources import cache as module
from taxi_platform.sources.cache import Cache, FetchMode, TripFiles
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import FileFacts, Transfer, TripFile
from taxi_platform.trips.records import PARSER
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows, text, with_field, zipped

LINES = rows(GREEN, 50)
PLAIN = text(GREEN, LINES)
CONTENT = zipped(PLAIN)
CORRECTED = zipped(text(GREEN, LINES[1:]))
NAME = "green_tripdata_2019-03.csv.gz"
LOCK = ".green_tripdata_2019-03.csv.lock"  # one per month, whatever the file is called


class Place:
    """A folder that publishes files, and the cache in front of it."""

    def __init__(self, folder: Path, log_lines: list[str]) -> None:
        self.published = folder / "published"
        self.published.mkdir(parents=True)
        self.folder = folder / "raw"
        self.kept = self.folder / "green" / NAME
        self.sidecar = self.kept.with_name(NAME + ".json")
        self.log_lines = log_lines

    @property
    def files(self) -> Cache:
        return Cache(self.folder, FolderSource(self.published))

    def publish(self, content: bytes, name: str = NAME) -> None:
        """Publish a file, or another version of it with a later modification time."""
        path = self.published / name
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(content)
        os.utime(path, ns=(before + 10**9, before + 10**9))

    def get(self) -> Transfer:
        return self.files.get(GREEN, MARCH)

    def refresh(self, *, force: bool = False) -> Transfer:
        return self.files.get(GREEN, MARCH, "force" if force else "refresh")


@pytest.fixture
def place(tmp_path: Path, log_lines: list[str]) -> Place:
    place = Place(tmp_path, log_lines)
    place.publish(CONTENT)
    return place


# Fetching and caching


def test_an_absent_file_is_fetched_verified_and_cached_unchanged(place: Place) -> None:
    found = place.get()
    assert found.is_new
    assert found.seconds >= 0
    assert place.kept.read_bytes() == CONTENT
    assert found.file == TripFile(
        service="green",
        month=MARCH,
        source=str(place.published / NAME),
        uri=place.kept.as_uri(),
        version=found.file.version,
        facts=FileFacts(len(CONTENT), len(PLAIN), sha256(CONTENT).hexdigest(), rows=50, regular=True),
    )
    assert found.file.path == place.kept
    assert found.file.version.bytes == len(CONTENT)
    assert found.file.version.modified == "1970-01-01T00:00:01+00:00"
    assert place.log_lines[-1] == f"{NAME}: 50 rows in {len(CONTENT):,} bytes, verified and kept"
    assert json.loads(place.sidecar.read_text()) == {
        "service": "green",
        "month": "2019-03",
        "source": found.file.source,
        "bytes": len(CONTENT),
        "csv_bytes": len(PLAIN),
        "sha256": found.file.sha256,
        "rows": 50,
        "regular": True,
        "parser": PARSER,
        "etag": found.file.version.etag,
        "modified": found.file.version.modified,
        "landed": False,
        "mtime_ns": place.kept.stat().st_mtime_ns,
    }


def test_a_cached_file_is_fetched_again_only_by_force(place: Place) -> None:
    first = place.get()
    for again, is_new in ((place.get(), False), (place.refresh(), False), (place.refresh(force=True), True)):
        assert (again.is_new, again.file) == (is_new, first.file)
    assert sorted(path.name for path in place.kept.parent.iterdir()) == [LOCK, NAME, NAME + ".json"]


def test_cached_files_can_be_moved_with_their_folder(place: Place) -> None:
    first = place.get().file
    place.folder = place.folder.rename(place.folder.with_name("elsewhere"))
    found = place.get()
    assert not found.is_new
    assert found.file.path == place.folder / "green" / NAME
    assert found.file.sha256 == first.sha256


@pytest.mark.parametrize("fetch_file", [Place.get, Place.refresh])
def test_a_file_that_changed_at_its_source_is_fetched_again(place: Place, fetch_file: "type[Place.get]") -> None:
    place.get()
    place.publish(CORRECTED)
    assert (fetch_file(place).is_new, place.kept.read_bytes()) == (True, CORRECTED)


def test_a_source_on_the_network_is_not_asked_about_a_cached_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderSource, "asking_is_free", False)
    place.get()
    place.publish(CORRECTED)
    assert not place.get().is_new
    assert place.refresh().is_new


@pytest.mark.parametrize("asking_is_free", [True, False])
def test_a_file_that_came_from_another_source_counts_as_absent(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asking_is_free: bool
) -> None:
    monkeypatch.setattr(FolderSource, "asking_is_free", asking_is_free)
    first = place.get().file
    other = Place(tmp_path / "other", [])
    other.publish(CORRECTED)
    other.folder, other.kept = place.folder, place.kept
    found = other.get()
    assert found.is_new
    assert found.file.source != first.source
    assert other.kept.read_bytes() == CORRECTED
    assert place.get().is_new


def test_the_file_that_was_fetched_last_is_the_months_file_whatever_edition_it_is(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", [])
    other.publish(parquet(GREEN, LINES), "green_tripdata_2019-03.parquet")
    other.folder = place.folder
    for source in (place, other, place, other):
        fetched = source.get()
        assert fetched.is_new
        assert source.files.cached(GREEN, MARCH) == fetched.file
        assert not source.get().is_new


def test_files_of_other_services_and_months_have_their_own_paths(place: Place) -> None:
    place.publish(text(GREEN, LINES), "green_tripdata_2019-04.csv")
    place.publish(zipped(text(FHV, rows(FHV, 3))), "fhv_tripdata_2019-03.csv.gz")
    place.get()
    april = place.files.get(GREEN, APRIL).file
    assert april.path == place.folder / "green" / "green_tripdata_2019-04.csv"
    assert (april.bytes, april.csv_bytes) == (len(PLAIN), len(PLAIN))
    assert place.files.get(FHV, MARCH).file.path.parent == place.folder / "fhv"


def test_records_are_counted_by_the_parser_where_lines_are_not_regular(place: Place) -> None:
    quoted = with_field(GREEN, LINES[0], "store_and_fwd_flag", '"N\nY"')
    place.publish(zipped(text(GREEN, ["", quoted, "bad row", *LINES[1:], ""])))
    assert place.get().file.rows == 51


def test_the_zone_lookup_is_fetched_every_time(place: Place) -> None:
    for content in (b"one", b"another"):
        place.publish(content, "taxi_zone_lookup.csv")
        path = place.files.zones()
        assert path == place.folder / "taxi_zone_lookup.csv"
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("mode", "force", "is_new", "content"),
    [("cached", False, True, CORRECTED), ("refresh", False, True, CORRECTED), ("force", True, True, CORRECTED)],
)
def test_the_months_of_an_asset_are_fetched_in_its_mode(
    place: Place, mode: FetchMode, force: bool, is_new: bool, content: bytes
) -> None:
    place.get()
    place.publish(CORRECTED)
    files = TripFiles(place.files, GREEN, [MARCH], mode)
    assert files.fetch(MARCH).is_new is is_new
    assert place.kept.read_bytes() == content
    assert files.fetch(MARCH).is_new is force


# Cached files that somebody changed


@pytest.mark.parametrize("change", ["longer", "other bytes", "touched", "deleted"])
def test_a_cached_file_that_somebody_changed_or_deleted_is_fetched_again(place: Place, change: str) -> None:
    place.get()
    contents = {"longer": CONTENT + b"\0", "other bytes": CONTENT[::-1], "touched": CONTENT}
    if change == "deleted":
        place.kept.unlink()
    else:
        place.kept.write_bytes(contents[change])
        os.utime(place.kept, ns=(0, place.kept.stat().st_mtime_ns + 1))
    assert place.get().is_new
    assert place.kept.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content",
    ["", "{", "null", "[]", "7", "{}", '{"month": "2019-03"}', "\ud800"],
    ids=lambda content: repr(content)[:20],
)
def test_a_sidecar_file_that_cannot_be_read_counts_as_absent(place: Place, content: str) -> None:
    place.get()
    place.sidecar.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert place.get().is_new
    assert not place.get().is_new


def test_a_file_that_an_earlier_parser_checked_is_not_known_to_be_regular(place: Place) -> None:
    file = place.get().file
    assert file.facts.regular
    facts = json.loads(place.sidecar.read_text())
    of_version_0_1 = {name: fact for name, fact in facts.items() if name not in ("regular", "parser")}
    for other in (of_version_0_1, {**facts, "parser": PARSER - 1}):
        place.sidecar.write_text(json.dumps(other))
        found = place.get()
        assert not found.is_new
        assert found.file.facts.regular is None


def test_a_sidecar_file_may_have_more_facts_than_are_read_but_not_fewer(place: Place) -> None:
    first = place.get().file
    facts = json.loads(place.sidecar.read_text())
    place.sidecar.write_text(json.dumps(facts | {"colour": "green"}))
    assert (place.get().is_new, place.get().file) == (False, first)
    del facts["csv_bytes"]
    place.sidecar.write_text(json.dumps(facts))
    assert place.get().is_new


# What is refused


BROKEN = {
    "cut off": (CONTENT[:-20], DamagedFile),
    "wrong checksum": (CONTENT[:-5] + b"\0\0\0\0\0", DamagedFile),
    "a page": (b"<html>", DamagedFile),
    "empty": (b"", DamagedFile),
    "a header alone": (zipped(text(GREEN, [])), DamagedFile),
    "another service": (zipped(text(FHV, rows(FHV, 5))), SchemaMismatch),
}


@pytest.mark.parametrize(("content", "error"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("has_a_good_one", [False, True])
def test_a_broken_file_is_not_cached(
    place: Place, content: bytes, error: type[Exception], has_a_good_one: bool
) -> None:
    if has_a_good_one:
        place.get()
    before = {path.name: path.read_bytes() for path in place.kept.parent.glob("*")}
    place.publish(content)
    for force in (False, True):
        with pytest.raises(error, match=r"^green_tripdata_2019-03\.csv: ") as caught:
            place.refresh(force=force)
    if error is DamagedFile:
        assert f"It came from {place.published / NAME} and was not kept. Run again; if" in str(caught.value)
    assert {path.name: path.read_bytes() for path in place.kept.parent.iterdir()} == {**before, LOCK: b""}


def test_a_folder_that_cannot_be_created_is_reported(place: Place) -> None:
    place.folder.write_text("a file where the folder should be")
    with pytest.raises(StorageFull, match=r"cannot be written: not a directory.*TAXI_DATA_DIR"):
        place.get()


# Files from the landing place


LANDED = zipped(text(GREEN, rows(GREEN, 30)))


def land(place: Place, content: bytes, name: str = NAME) -> Transfer:
    """Drop a file into a landing place, and cache it from there."""
    folder = place.published.parent / "landing"
    folder.mkdir(exist_ok=True)
    for there in folder.iterdir():
        there.unlink()
    (folder / name).write_bytes(content)
    return Cache(place.folder, FolderSource(folder), landing=True).get(GREEN, MARCH, "force")


@pytest.mark.parametrize("name", [NAME, NAME.removesuffix(".gz")])
@pytest.mark.parametrize("fetch_file", [Place.get, Place.refresh])
def test_a_file_that_landed_is_the_months_file_whatever_the_source_has(
    place: Place, fetch_file: "type[Place.get]", name: str
) -> None:
    place.get()
    landed = land(place, LANDED if name == NAME else gzip.decompress(LANDED), name)
    assert landed.is_new
    place.publish(CORRECTED)
    found = fetch_file(place)
    assert (found.is_new, found.file) == (False, landed.file)
    assert (found.file.rows, found.file.landed) == (30, True)


@pytest.mark.parametrize("name", [NAME, NAME.removesuffix(".gz")])
def test_the_sources_file_replaces_one_that_landed_only_by_force(place: Place, name: str) -> None:
    land(place, LANDED if name == NAME else gzip.decompress(LANDED), name)
    assert place.refresh(force=True).file.rows == 50
    again = place.get()
    assert (again.is_new, again.file.rows, again.file.landed) == (False, 50, False)
    assert sorted(path.name for path in place.kept.parent.iterdir()) == [LOCK, NAME, NAME + ".json"]


def test_the_file_that_landed_last_is_the_months_file(place: Place) -> None:
    land(place, LANDED)
    land(place, PLAIN, NAME.removesuffix(".gz"))
    assert place.get().file.rows == 50
    land(place, LANDED)
    assert place.get().file.rows == 30
    assert sorted(path.name for path in place.kept.parent.iterdir()) == [LOCK, NAME, NAME + ".json"]


def test_a_broken_file_that_landed_leaves_the_good_one(place: Place) -> None:
    kept = place.get()
    with pytest.raises(DamagedFile):
        land(place, LANDED[:-20])
    assert place.get().file == kept.file


# Other processes


FETCH = """
import logging, os, signal, sys, time
from pathlib import Path
from taxi_platform.trips.months import Month
from taxi_platform.sources import cache as store
from taxi_platform.trips.services import GREEN
from taxi_platform.sources.folder import FolderSource

published, folder, act = sys.argv[1:]
files = store.Cache(Path(folder), FolderSource(Path(published)))
fetch = FolderSource.fetch

def slow(*arguments):
    print("fetching", flush=True)
    time.sleep(0.5)
    return fetch(*arguments)

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

if act == "slowly":
    FolderSource.fetch = slow
elif act == "die before the sidecar":
    store.write_sidecar = die
elif act == "die before the file":
    os.fsync = die
logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
print("new" if files.get(GREEN, Month(2019, 3)).is_new else "kept")
"""


def start(place: Place, act: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, place.published, place.folder, act], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_at_once_fetch_a_file_once(place: Place) -> None:
    processes = [start(place, "slowly") for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    assert sorted(output.splitlines()[-1] for output in outputs) == ["kept", "new"]
    assert "".join(outputs).count("fetching\n") == 1


def test_a_process_that_has_waited_too_long_gives_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    place.get()
    with (
        module.lock_of(place.kept.with_suffix("")),
        pytest.raises(module.SourceUnreachable, match="another process has been fetching it"),
    ):
        place.get()


@pytest.mark.parametrize(("act", "earlier"), [("die before the file", None), ("die before the sidecar", CORRECTED)])
def test_what_a_killed_fetch_left_is_repaired_by_the_next(place: Place, act: str, earlier: bytes | None) -> None:
    if earlier:
        place.publish(earlier)
        place.get()
        place.publish(CONTENT)
    process = start(place, act)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    found = place.get()
    assert found.is_new
    assert found.file.sha256 == sha256(CONTENT).hexdigest()
    assert place.kept.read_bytes() == CONTENT
    assert not place.get().is_new
    assert sorted(path.name for path in place.kept.parent.iterdir()) == [LOCK, NAME, NAME + ".json"]

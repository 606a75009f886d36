"""Which raw files a purge removes, and what it leaves behind, with real files and locks."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from taxi_platform.errors import InvalidSetting
from taxi_platform.operations.purge import DAY, GIGABYTE, IN_USE, LANDED, SOURCE, Purged, purge
from taxi_platform.sources.cache import Cache, lock_of, read_sidecar, write_sidecar
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.trip_texts import rows, text, zipped

Rule = tuple[float | None, float | None]
WEEK: Rule = (7, None)
NOTHING = Purged(files=0, bytes=0, kept={}, files_left=0, bytes_left=0)


class Raw:
    """A folder of raw files whose ages a test sets."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.folder = folder / "raw"
        self.log = caplog
        self._published = folder / "published"
        self._published.mkdir()

    def kept(self, month: int, days: float, *, landed: bool = False) -> TripFile:
        """Fetch a file, date it back by some days, and return it."""
        when = Month(2019, month)
        published = self._published / f"green_tripdata_{when}.csv.gz"
        published.write_bytes(zipped(text(GREEN, rows(GREEN, 50 * month))))
        file = self.cache().get(GREEN, when).file
        moment = time.time() - days * DAY
        os.utime(file.path, (moment, moment))
        write_sidecar(replace(file, landed=landed))
        dated = read_sidecar(file.path)
        assert dated
        return dated

    def cache(self) -> Cache:
        return Cache(self.folder, FolderSource(self._published))

    def purge(self, rule: Rule, *, not_loaded: tuple[int, ...] = (), dry_run: bool = False) -> Purged:
        def why_not(file: TripFile) -> str | None:
            return "not loaded" if file.month.month in not_loaded else None

        return purge(self.folder, *rule, [lambda _: None, why_not], dry_run=dry_run)

    def names(self) -> set[str]:
        """Return the names of all files except locks."""
        return {path.name for path in self.folder.glob("*/*") if not path.name.endswith(".lock")}


@pytest.fixture
def raw(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Raw:
    caplog.set_level(logging.INFO)
    return Raw(tmp_path, caplog)


def both(*months: int) -> set[str]:
    return {f"green_tripdata_2019-{month:02d}.csv.gz{suffix}" for month in months for suffix in ("", ".json")}


def test_files_older_than_the_limit_are_removed_with_their_sidecars(raw: Raw) -> None:
    old = [raw.kept(1, 30), raw.kept(2, 7.1)]
    young = raw.kept(3, 6.9)
    assert raw.purge(WEEK) == Purged(
        files=2, bytes=sum(file.bytes for file in old), kept={}, files_left=1, bytes_left=young.bytes
    )
    assert raw.names() == both(3)


def test_the_oldest_are_removed_until_the_others_fit(raw: Raw) -> None:
    sizes = [raw.kept(1, 1).bytes, raw.kept(2, 3).bytes, raw.kept(3, 2).bytes]
    done = raw.purge((None, (sizes[0] + sizes[2]) / GIGABYTE))
    assert (done.files, done.bytes, done.bytes_left) == (1, sizes[1], sizes[0] + sizes[2])
    assert raw.names() == both(1, 3)
    assert raw.purge((None, (sizes[0] + sizes[2]) / GIGABYTE)).files == 0


def test_a_file_that_is_not_loaded_everywhere_stays_and_a_newer_one_is_removed(raw: Raw) -> None:
    raw.kept(1, 3)
    raw.kept(2, 2)
    youngest = raw.kept(3, 1)
    done = raw.purge((None, youngest.bytes / GIGABYTE), not_loaded=(1,))
    assert done.kept == {"not loaded": 1}
    assert raw.names() == both(1)
    assert "green_tripdata_2019-01.csv.gz stays: not loaded" in raw.log.messages


def test_a_file_that_came_by_the_landing_place_stays(raw: Raw) -> None:
    raw.kept(1, 400, landed=True)
    assert raw.purge(WEEK).kept == {LANDED: 1}
    assert raw.names() == both(1)


def test_a_file_that_is_the_only_copy_of_the_source_stays(raw: Raw) -> None:
    file = raw.kept(1, 30)
    write_sidecar(replace(file, source=str(file.path)))
    assert raw.purge(WEEK).kept == {SOURCE: 1}
    assert raw.names() == both(1)


@pytest.mark.parametrize("place", [".", "green"])
def test_a_source_inside_the_raw_folder_is_refused(raw: Raw, place: str) -> None:
    file = raw.kept(1, 30)
    with pytest.raises(InvalidSetting, match=r"TAXI_SOURCE=.*: it is inside the folder of raw files"):
        Cache(raw.folder, FolderSource(raw.folder / place))
    assert file.path.exists()


def test_a_file_that_is_being_fetched_stays(raw: Raw) -> None:
    file = raw.kept(1, 30)
    with lock_of(file.path.with_suffix("")):
        assert raw.purge(WEEK).kept == {IN_USE: 1}
    assert raw.names() == both(1)
    assert raw.purge(WEEK).files == 1


def test_a_dry_run_reports_the_same_and_removes_nothing(raw: Raw) -> None:
    raw.kept(1, 30)
    raw.kept(2, 20)
    before = raw.names()
    dry = raw.purge(WEEK, not_loaded=(2,), dry_run=True)
    assert raw.names() == before
    assert "would be removed" in raw.log.text
    assert raw.purge(WEEK, not_loaded=(2,)) == dry


def test_without_a_rule_or_a_folder_nothing_is_removed(raw: Raw) -> None:
    assert raw.purge(WEEK) == NOTHING
    raw.kept(1, 4000)
    assert raw.purge((None, None)).files == 0


def test_a_file_that_is_not_ours_or_was_changed_stays(raw: Raw) -> None:
    file = raw.kept(1, 30)
    file.path.write_bytes(b"of another program")
    own = [file.path.with_name("notes.txt"), file.path.with_name("green_tripdata_2019-02.csv")]
    for path in own:
        path.write_text("of another program")
        os.utime(path, (0, 0))
    assert raw.purge(WEEK).files == 0
    assert {path.name for path in own} | both(1) == raw.names()


@pytest.mark.parametrize("nth", [1, 2])
def test_a_purge_that_is_killed_leaves_the_file_whole_or_absent(
    raw: Raw, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = raw.kept(1, 30)
    real, unlinked = Path.unlink, []

    def die(path: Path, missing_ok: bool = False) -> None:
        if path.suffix in (".part", ".json"):  # first the bytes, then the sidecar file
            unlinked.append(path)
            if len(unlinked) == nth:
                raise KeyboardInterrupt
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", die)
    with pytest.raises(KeyboardInterrupt):
        raw.purge(WEEK)
    monkeypatch.undo()
    assert read_sidecar(file.path) is None
    assert not file.path.exists()
    raw.kept(1, 30)
    assert raw.names() == both(1)

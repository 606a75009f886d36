"""The landing place: which files are trips, when they are complete, what becomes of each, how a folder moves them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished, StorageFull, TaxiError
from taxi_platform.operations.landing.decision import Outcome, Plan, cursor, in_words, plan, recall
from taxi_platform.operations.landing.folder import LandingFolder
from taxi_platform.operations.landing.names import is_unfinished, numbered, shown, trips_in
from taxi_platform.operations.landing.place import Dropped
from taxi_platform.operations.landing.source import DroppedFile
from taxi_platform.operations.monthly import outside
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service

MARCH = Month(2019, 3)
NAME = "green_tripdata_2019-03.csv.gz"
RUNNING, LOADED = Outcome("running"), Outcome("loaded")
months = st.builds(Month, st.integers(2009, 2099), st.integers(1, 12))


def refusal(service: Service, month: Month) -> str | None:
    return outside(service, month, (Month(2019, 1), Month(2021, 7)))


def planned(
    there: list[Dropped], seen: Mapping[str, str] | None = None, outcomes: Mapping[str, Outcome] | None = None
) -> Plan:
    return plan(there, seen or {}, lambda dropped: (outcomes or {}).get(dropped.name), refusal)


def dropped(name: str = NAME, version: str = "v1", *, complete: bool = True) -> Dropped:
    return Dropped(name, version, complete)


# Names


@given(st.sampled_from(list(SERVICES.values())), months, st.sampled_from([".csv", ".csv.gz"]))
def test_a_name_as_published_says_service_and_month(service: Service, month: Month, suffix: str) -> None:
    name = service.file_name(month).removesuffix(".csv") + suffix
    assert trips_in(name) == (service, month)
    assert not is_unfinished(name)


@pytest.mark.parametrize(
    "name",
    ["", "readme.txt", "green_tripdata_2019-13.csv", "green_tripdata_2019-3.csv", "blue_tripdata_2019-03.csv",
     "green_tripdata_2019-03.parquet", "green_tripdata_2019-03.csv.gz.2", "GREEN_tripdata_2019-03.csv",
     "green_tripdata_2019-03.2.csv.gz", "green_tripdata_٢٠١٩-٠٣.csv", "a/green_tripdata_2019-03.csv"],
)  # fmt: skip
def test_any_other_name_is_no_trip_file(name: str) -> None:
    assert trips_in(name) is None


@pytest.mark.parametrize("name", [f".{NAME}", f"{NAME}.part", f"{NAME}.filepart", f"{NAME}~", ".hidden"])
def test_hidden_files_and_those_of_copying_programs_are_being_written(name: str) -> None:
    assert is_unfinished(name)


def test_a_second_file_of_a_name_gets_a_number() -> None:
    assert numbered(NAME, 2) == "green_tripdata_2019-03.2.csv.gz"
    assert numbered("readme", 3) == "readme.3"


def test_a_name_of_any_bytes_can_be_printed() -> None:
    assert shown(os.fsdecode(b"caf\xe9.csv")).encode("utf-8")


# What is done


def test_a_complete_file_is_loaded() -> None:
    assert planned([dropped()]).load == [(dropped(), GREEN, MARCH)]


def test_a_file_is_complete_when_two_looks_see_the_same() -> None:
    growing = dropped(complete=False)
    first = planned([growing])
    assert (first.load, first.waiting) == ([], [growing])
    grown = dropped(version="v2", complete=False)
    second = planned([grown], first.seen)
    assert (second.load, second.waiting) == ([], [grown])
    assert planned([grown], second.seen).load == [(grown, GREEN, MARCH)]


def test_a_file_whose_run_goes_on_is_left_where_it_is() -> None:
    found = planned([dropped()], outcomes={NAME: RUNNING})
    assert (found.load, found.done, found.failed, found.waiting) == ([], [], [], [dropped()])


def test_a_file_is_moved_when_it_is_loaded_and_not_loaded_again() -> None:
    found = planned([dropped()], outcomes={NAME: LOADED})
    assert (found.done, found.load) == ([dropped()], [])


def test_a_file_that_cannot_be_loaded_is_moved_with_the_reason() -> None:
    found = planned([dropped()], outcomes={NAME: Outcome("failed", f"{NAME}: the gzip data is corrupt.")})
    assert found.failed == [
        (dropped(), f"{NAME}: the gzip data is corrupt.\nWhen that is put right, drop the file again.\n")
    ]


def test_what_is_no_trip_file_is_moved_with_the_reason() -> None:
    ((file, reason),) = planned([dropped("notes.txt")]).failed
    assert file.name == "notes.txt"
    assert reason.startswith("No trip file: its name is not one as published, like green_tripdata_2019-03.csv.gz")


def test_a_month_that_is_no_partition_is_moved_and_names_the_setting() -> None:
    ((_, reason),) = planned([dropped("green_tripdata_2021-08.csv")]).failed
    assert "TAXI_LAST_MONTH=2021-08" in reason


def test_nothing_is_judged_before_it_is_complete() -> None:
    found = planned([dropped("notes.txt", complete=False), dropped("green_tripdata_2021-08.csv", complete=False)])
    assert (found.failed, len(found.waiting)) == ([], 2)


def test_what_is_still_written_is_not_even_remembered() -> None:
    assert planned([dropped(f"{NAME}.part")]) == Plan()


def test_of_two_files_of_a_month_the_later_waits_for_the_earlier() -> None:
    first, second = dropped(NAME), dropped(NAME.removesuffix(".gz"))
    both = [first, second]
    assert (planned(both).load, planned(both).waiting) == ([(first, GREEN, MARCH)], [second])
    running = planned(both, outcomes={first.name: RUNNING})
    assert (running.load, running.waiting) == ([], both)
    loaded = planned(both, outcomes={first.name: LOADED})
    assert (loaded.done, loaded.load) == ([first], [(second, GREEN, MARCH)])


def test_files_of_other_months_do_not_wait_for_each_other() -> None:
    there = [dropped(service.file_name(month)) for service in (GREEN, FHV) for month in (MARCH, Month(2019, 4))]
    assert len(planned(there).load) == 4


@given(st.lists(st.tuples(st.text(), st.text(), st.booleans())))
def test_every_file_is_loaded_moved_or_waited_for_and_never_two_of_these(files: list[tuple[str, str, bool]]) -> None:
    there = [Dropped(*file) for file in files]
    found = planned(there)
    decided = [file for file, *_ in found.load] + found.done + [file for file, _ in found.failed] + found.waiting
    assert sorted(decided, key=str) == sorted((file for file in there if not is_unfinished(file.name)), key=str)


def test_a_look_is_told_in_words() -> None:
    found = planned([dropped(), dropped("notes.txt"), dropped("fhv_tripdata_2019-03.csv", complete=False)])
    assert in_words(found, []) == (f"to load: {NAME}; moved to failed: notes.txt; waiting: fhv_tripdata_2019-03.csv")
    assert in_words(Plan(), []) == "Nothing was dropped."


# What is remembered


@given(st.dictionaries(st.text(), st.text()))
def test_the_versions_are_recalled_from_the_cursor(seen: dict[str, str]) -> None:
    assert recall(cursor(seen)) == seen


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "[]", "3", '{"version": 0}', '{"version": 1}', '{"version": 1, "seen": 3}']
)
def test_a_cursor_that_makes_no_sense_remembers_nothing(text: str | None) -> None:
    assert recall(text) == {}


# The folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "landing"
    path.mkdir()
    return path


def drop(folder: Path, content: bytes = b"abc", name: str = NAME, age: float = 0) -> Dropped:
    """Put a file into the folder that was written so many seconds ago."""
    (folder / name).write_bytes(content)
    os.utime(folder / name, (time.time() - age, time.time() - age))
    (found,) = [file for file in LandingFolder(folder).look() if file.name == name]
    return found


def test_a_folder_lists_its_files_the_earliest_first_and_no_folders(folder: Path) -> None:
    (folder / "done").mkdir()
    (folder / "link to nothing").symlink_to(folder / "nothing")
    drop(folder, name="b", age=100)
    drop(folder, name="a", age=50)
    assert [file.name for file in LandingFolder(folder).look()] == ["b", "a"]


def test_a_file_that_nobody_has_written_for_a_minute_is_complete(folder: Path) -> None:
    assert not drop(folder, age=5).is_complete
    assert drop(folder, age=61).is_complete


def test_the_same_file_moved_out_and_in_again_is_another_version(folder: Path) -> None:
    first = drop(folder, age=100)
    (folder / NAME).rename(folder.parent / NAME)
    (folder.parent / NAME).rename(folder / NAME)
    (again,) = LandingFolder(folder).look()
    assert again.version != first.version


def test_writing_a_file_makes_another_version(folder: Path) -> None:
    assert drop(folder, b"abc").version != drop(folder, b"abcd").version


def test_a_file_is_copied_as_it_is(folder: Path, tmp_path: Path) -> None:
    file = drop(folder, b"abc")
    version = LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"abc"
    assert (version.etag, version.bytes) == (file.version, 3)


def test_a_file_that_has_changed_since_it_was_looked_at_is_not_taken(folder: Path, tmp_path: Path) -> None:
    file = drop(folder, b"abc")
    drop(folder, b"abcd")
    with pytest.raises(DamagedFile, match="has changed since it was looked at"):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")


def test_a_file_that_is_gone_says_so(folder: Path, tmp_path: Path) -> None:
    file = drop(folder)
    (folder / NAME).unlink()
    with pytest.raises(NotPublished, match=r"is not there any more\. Drop it again"):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")


def test_a_file_is_moved_to_done(folder: Path) -> None:
    assert LandingFolder(folder).move(drop(folder), "done") == NAME
    assert [path.name for path in folder.iterdir()] == ["done"]
    assert (folder / "done" / NAME).read_bytes() == b"abc"


def test_a_file_is_moved_to_failed_with_the_reason_beside_it(folder: Path) -> None:
    LandingFolder(folder).move(drop(folder), "failed", "It is broken.\n")
    assert (folder / "failed" / NAME).read_bytes() == b"abc"
    assert (folder / "failed" / f"{NAME}.reason.txt").read_text() == "It is broken.\n"


def test_nothing_in_a_room_is_ever_overwritten(folder: Path) -> None:
    for content in (b"one", b"two", b"three"):
        LandingFolder(folder).move(drop(folder, content), "done")
    found = {path.name: path.read_bytes() for path in (folder / "done").iterdir()}
    assert found == {
        "green_tripdata_2019-03.csv.gz": b"one",
        "green_tripdata_2019-03.2.csv.gz": b"two",
        "green_tripdata_2019-03.3.csv.gz": b"three",
    }


def test_a_file_that_was_replaced_since_it_was_loaded_stays_to_be_loaded(folder: Path) -> None:
    file = drop(folder, b"abc")
    drop(folder, b"abcd")
    with pytest.raises(DamagedFile):
        LandingFolder(folder).move(file, "done")
    assert (folder / NAME).read_bytes() == b"abcd"


def test_a_file_with_a_name_of_any_bytes_is_moved(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    LandingFolder(folder).move(drop(folder, name=name), "failed", f"{name} is no trip file")
    assert sorted(os.fsencode(path.name) for path in (folder / "failed").iterdir()) == [
        b"caf\xe9.csv", b"caf\xe9.csv.reason.txt",
    ]  # fmt: skip


def test_a_file_that_cannot_be_moved_stays_and_is_told_of(folder: Path) -> None:
    file = drop(folder)
    (folder / "done").write_text("a file where the room should be")
    with pytest.raises(StorageFull, match="cannot be changed: "):
        LandingFolder(folder).move(file, "done")
    assert (folder / NAME).exists()


def test_a_folder_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"TAXI_LANDING=.*: there is no such folder"):
        LandingFolder(tmp_path / "nowhere").look()


def test_the_platforms_own_folder_is_made(tmp_path: Path) -> None:
    assert LandingFolder(tmp_path / "data" / "landing", own=True).look() == []
    assert (tmp_path / "data" / "landing").is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(folder: Path, tmp_path: Path) -> None:
    file = drop(folder)
    (folder / NAME).chmod(0)
    (file,) = LandingFolder(folder).look()
    with pytest.raises(AccessDenied):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")


def test_a_dropped_file_is_the_source_of_its_own_month_only(folder: Path) -> None:
    source = DroppedFile(LandingFolder(folder), NAME, "v1")
    assert source.trips(GREEN, MARCH) == str(folder / NAME)
    for service, month in ((FHV, MARCH), (GREEN, Month(2019, 4))):
        with pytest.raises(TaxiError, match="it is not the file of"):
            source.trips(service, month)

"""The landing place: which files are trips, when they are complete, what happens to each, how a folder moves them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import (
    DamagedFile,
    InvalidSetting,
    NotPublished,
    SourceUnreachable,
    StorageFull,
    TaxiError,
)
from taxi_platform.operations.landing.places import (
    DroppedFile,
    DroppedFileSource,
    LandingFolder,
)
from taxi_platform.operations.landing.tick import (
    Action,
    Decision,
    dump_cursor,
    is_unfinished,
    load_cursor,
    plan,
    summarize,
)
from taxi_platform.operations.new_months import outside
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service

MARCH = Month(2019, 3)
NAME = "green_tripdata_2019-03.csv.gz"
RUNNING: tuple[Action, str] = ("wait", "")
LOADED: tuple[Action, str] = ("done", "")
months = st.builds(Month, st.integers(2009, 2099), st.integers(1, 12))


def refusal(service: Service, month: Month) -> str | None:
    return outside(service, month, (Month(2019, 1), Month(2021, 7)))


def planned(
    files: list[DroppedFile],
    versions: Mapping[str, str] | None = None,
    outcomes: Mapping[str, tuple[Action, str]] | None = None,
) -> list[Decision]:
    return plan(files, versions or {}, lambda file: (outcomes or {}).get(file.name), refusal)


def actions(decisions: list[Decision]) -> dict[str, Action]:
    return {decision.file.name: decision.action for decision in decisions}


def versions(decisions: list[Decision]) -> dict[str, str]:
    return {decision.file.name: decision.file.version for decision in decisions}


def dropped(name: str = NAME, version: str = "v1", *, complete: bool = True) -> DroppedFile:
    return DroppedFile(name, version, complete)


# Names


@given(st.sampled_from(list(SERVICES.values())), months, st.sampled_from([".csv", ".csv.gz"]))
def test_a_published_name_gives_service_and_month(service: Service, month: Month, suffix: str) -> None:
    name = service.file_name(month).removesuffix(".csv") + suffix
    assert parse_file_name(name) == (service, month)
    assert not is_unfinished(name)


@pytest.mark.parametrize(
    "name",
    ["", "readme.txt", "green_tripdata_2019-13.csv", "green_tripdata_2019-3.csv", "blue_tripdata_2019-03.csv",
     "green_tripdata_2019-03.parquet.gz", "green_tripdata_2019-03.csv.gz.2", "GREEN_tripdata_2019-03.csv",
     "green_tripdata_2019-03.2.csv.gz", "green_tripdata_٢٠١٩-٠٣.csv", "a/green_tripdata_2019-03.csv"],
)  # fmt: skip
def test_any_other_name_is_not_a_trip_file(name: str) -> None:
    assert parse_file_name(name) is None


@pytest.mark.parametrize("name", [f".{NAME}", f"{NAME}.part", f"{NAME}.filepart", f"{NAME}~"])
def test_hidden_files_and_those_of_copying_programs_are_unfinished(name: str) -> None:
    assert is_unfinished(name)
    assert planned([dropped(name)]) == []


# Decisions


def test_a_complete_file_is_loaded() -> None:
    assert planned([dropped()]) == [Decision(dropped(), "load", trips=(GREEN, MARCH))]


def test_a_file_is_complete_when_two_ticks_see_the_same_version() -> None:
    first = planned([dropped(complete=False)])
    assert actions(first) == {NAME: "wait"}
    grown = dropped(version="v2", complete=False)
    second = planned([grown], versions(first))
    assert actions(second) == {NAME: "wait"}
    assert actions(planned([grown], versions(second))) == {NAME: "load"}


@pytest.mark.parametrize(("outcome", "action"), [(RUNNING, "wait"), (LOADED, "done")])
def test_a_file_waits_while_its_run_is_running_and_is_moved_when_it_is_loaded(
    outcome: tuple[Action, str], action: Action
) -> None:
    assert actions(planned([dropped()], outcomes={NAME: outcome})) == {NAME: action}


@pytest.mark.parametrize(
    ("name", "outcomes", "reason"),
    [
        (NAME, {NAME: ("failed", f"{NAME}: the gzip data is corrupt.")}, f"{NAME}: the gzip data is corrupt."),
        ("notes.txt", {}, "The file is not named as published, e.g. green_tripdata_2019-03.csv.gz"),
        ("green_tripdata_2021-08.csv", {}, "TAXI_LAST_MONTH=2021-08"),
    ],
)
def test_a_file_that_is_not_loaded_is_moved_with_the_reason(
    name: str, outcomes: Mapping[str, tuple[Action, str]], reason: str
) -> None:
    assert actions(planned([dropped(name, complete=False)], outcomes=outcomes)) == {name: "wait"}
    (decision,) = planned([dropped(name)], outcomes=outcomes)
    assert decision.action == "failed"
    assert decision.reason
    assert reason in decision.reason
    assert decision.reason.endswith("Correct that, and drop the file again.\n")


def test_of_two_files_of_a_month_the_later_waits_for_the_earlier() -> None:
    first, second = NAME, NAME.removesuffix(".gz")
    both = [dropped(first), dropped(second)]
    assert actions(planned(both)) == {first: "load", second: "wait"}
    assert actions(planned(both, outcomes={first: RUNNING})) == {first: "wait", second: "wait"}
    assert actions(planned(both, outcomes={first: LOADED})) == {first: "done", second: "load"}


def test_a_file_waits_for_one_of_its_month_that_is_being_loaded_even_if_that_was_written_later() -> None:
    earlier, later = NAME.removesuffix(".gz"), NAME
    both = [dropped(earlier), dropped(later)]
    assert actions(planned(both, outcomes={later: RUNNING})) == {earlier: "wait", later: "wait"}
    assert actions(planned(both, outcomes={later: LOADED})) == {earlier: "load", later: "done"}


def test_files_of_other_months_do_not_wait_for_each_other() -> None:
    files = [dropped(service.file_name(month)) for service in (GREEN, FHV) for month in (MARCH, Month(2019, 4))]
    assert [decision.action for decision in planned(files)] == ["load"] * 4


def test_a_tick_is_summarized_in_one_line() -> None:
    decisions = planned([dropped(), dropped("notes.txt"), dropped("fhv_tripdata_2019-03.csv", complete=False)])
    assert summarize(decisions, []) == f"to load: {NAME}; moved to failed: notes.txt; waiting: fhv_tripdata_2019-03.csv"
    assert summarize([], []) == "Nothing was dropped."


# The cursor


@given(st.dictionaries(st.text(), st.text()))
def test_the_versions_are_read_from_the_cursor(versions: dict[str, str]) -> None:
    assert load_cursor(dump_cursor(versions)) == versions


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "[]", "3", '{"version": 0}', '{"version": 1}', '{"version": 1, "seen": 3}']
)
def test_a_cursor_that_cannot_be_read_counts_as_empty(text: str | None) -> None:
    assert load_cursor(text) == {}


# The folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "landing"
    path.mkdir()
    return path


def drop(folder: Path, content: bytes = b"abc", name: str = NAME, age: float = 0) -> DroppedFile:
    """Put a file that was written ``age`` seconds ago into the folder, and return it as listed."""
    (folder / name).write_bytes(content)
    os.utime(folder / name, (time.time() - age, time.time() - age))
    (file,) = [file for file in LandingFolder(folder).files() if file.name == name]
    return file


def test_a_folder_lists_only_its_files_and_the_earliest_first(folder: Path) -> None:
    (folder / "done").mkdir()
    drop(folder, name="b", age=100)
    drop(folder, name="a", age=50)
    assert [file.name for file in LandingFolder(folder).files()] == ["b", "a"]


def test_a_file_that_nobody_has_written_for_a_minute_is_complete(folder: Path) -> None:
    assert not drop(folder, age=5).is_complete
    assert drop(folder, age=61).is_complete


def test_a_file_that_is_moved_out_and_in_again_or_written_is_another_version(folder: Path) -> None:
    first = drop(folder, age=100)
    (folder / NAME).rename(folder.parent / NAME)
    (folder.parent / NAME).rename(folder / NAME)
    (again,) = LandingFolder(folder).files()
    assert len({first.version, again.version, drop(folder, b"abcd").version}) == 3


def test_a_file_is_copied_as_it_is(folder: Path, tmp_path: Path) -> None:
    file = drop(folder, b"abc")
    version = LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"abc"
    assert (version.etag, version.bytes) == (file.version, 3)


def test_only_the_version_that_was_listed_is_copied_or_moved(folder: Path, tmp_path: Path) -> None:
    file = drop(folder, b"abc")
    drop(folder, b"abcd")
    with pytest.raises(DamagedFile, match="has changed since it was listed"):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")
    with pytest.raises(DamagedFile):
        LandingFolder(folder).move(file, "done")
    assert (folder / NAME).read_bytes() == b"abcd"
    (folder / NAME).unlink()
    with pytest.raises(NotPublished, match=r"does not exist\. Put the file there"):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")


def test_a_file_is_moved_to_failed_with_the_reason_beside_it(folder: Path) -> None:
    (folder / "failed").mkdir()
    (folder / "failed" / f"{NAME}.reason.txt").write_text("of a tick that was killed before it moved the file")
    LandingFolder(folder).move(drop(folder), "failed", "It is broken.\n")
    assert [path.name for path in folder.iterdir()] == ["failed"]
    assert (folder / "failed" / NAME).read_bytes() == b"abc"
    assert (folder / "failed" / f"{NAME}.reason.txt").read_text() == "It is broken.\n"


def test_nothing_in_a_subfolder_is_ever_overwritten(folder: Path) -> None:
    for content in (b"one", b"two", b"three"):
        LandingFolder(folder).move(drop(folder, content), "done")
    contents = {path.name: path.read_bytes() for path in (folder / "done").iterdir()}
    assert contents == {
        "green_tripdata_2019-03.csv.gz": b"one",
        "green_tripdata_2019-03.2.csv.gz": b"two",
        "green_tripdata_2019-03.3.csv.gz": b"three",
    }


def test_a_file_whose_name_is_not_text_is_moved_with_its_reason(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    for _ in range(2):
        moved = LandingFolder(folder).move(drop(folder, name=name), "failed", f"{name} is not a trip file")
        assert name.startswith(moved.partition(".")[0])
        assert {moved, f"{moved}.reason.txt"} <= {path.name for path in (folder / "failed").iterdir()}
    assert len(list((folder / "failed").iterdir())) == 4


# Links: somebody who may write to the folder could point them at files of the platform


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("hunter2")
    return path


def test_a_link_is_not_a_dropped_file(folder: Path, secret: Path) -> None:
    (folder / NAME).symlink_to(secret)
    assert LandingFolder(folder).files() == []


def test_a_file_that_is_replaced_by_a_link_is_neither_copied_nor_moved(
    folder: Path, secret: Path, tmp_path: Path
) -> None:
    file = drop(folder)
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(secret)
    with pytest.raises(DamagedFile):
        LandingFolder(folder).move(file, "done")
    with pytest.raises(SourceUnreachable):
        LandingFolder(folder).fetch(NAME, file.version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


@pytest.mark.parametrize("subfolder", ["done", "failed"])
def test_a_subfolder_that_is_a_link_is_not_written_to(
    subfolder: Literal["done", "failed"], folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / subfolder).symlink_to(elsewhere)
    with pytest.raises(StorageFull, match="cannot be written: not a directory"):
        LandingFolder(folder).move(drop(folder, name="evil.py"), subfolder, "a reason")
    assert list(elsewhere.iterdir()) == []
    assert (folder / "evil.py").exists()


def test_a_reason_is_not_written_through_a_link(folder: Path, secret: Path) -> None:
    (folder / "failed").mkdir()
    (folder / "failed" / f"{NAME}.reason.txt").symlink_to(secret)
    LandingFolder(folder).move(drop(folder), "failed", "a reason")
    assert secret.read_text() == "hunter2"
    assert (folder / "failed" / f"{NAME}.reason.txt").read_text() == "a reason"


# The folder itself


def test_a_missing_folder_is_reported_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"TAXI_LANDING=.*: there is no such folder"):
        LandingFolder(tmp_path / "nowhere").files()


def test_a_dropped_file_is_the_source_of_its_own_month_only(folder: Path) -> None:
    source = DroppedFileSource(LandingFolder(folder), NAME, "v1")
    assert source.trips(GREEN, MARCH) == str(folder / NAME)
    for service, month in ((FHV, MARCH), (GREEN, Month(2019, 4))):
        with pytest.raises(TaxiError, match="it is not the file of"):
            source.trips(service, month)

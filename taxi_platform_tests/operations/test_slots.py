"""Slots among real processes: never more at once than there are, and free again when a process is killed."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.errors import DatabaseUnreachable, InvalidSetting, StorageFull, TooManyRuns, UnsupportedServer
from taxi_platform.operations.slots.choose import claim_on
from taxi_platform.operations.slots.claim import Claim, take, when_full
from taxi_platform.operations.slots.files import FileClaim
from taxi_platform.operations.slots.postgres import PostgresClaim
from taxi_platform_tests.support.at_once import Together, Worker, try_to_take

PROCESSES = 10
SLOTS = 2
NAME = "hello_world"
ADVICE = "Wait."


def postgres_claim(url: str, folder: Path) -> Claim:
    return PostgresClaim(url, NAME, SLOTS)


def file_claim(url: str, folder: Path) -> Claim:
    return FileClaim(folder / "slots", NAME, SLOTS)


@pytest.fixture(params=[postgres_claim, file_claim], ids=["PostgreSQL", "files"])
def claim(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> "partial[Claim]":
    """Makes a claim to one of two slots that nobody holds yet."""
    return partial(request.param, database, tmp_path)


@pytest.fixture
def workers(claim: "partial[Claim]") -> Iterator[list[Worker]]:
    """Ten processes that try for a slot at the same moment."""
    together = Together(PROCESSES)
    started = [together.start(try_to_take, claim) for _ in range(PROCESSES)]
    yield started
    for worker in started:
        worker.kill()


def test_of_ten_processes_at_once_exactly_two_get_a_slot_and_a_killed_one_frees_its_own(
    workers: list[Worker], claim: "partial[Claim]"
) -> None:
    lucky = [worker for worker in workers if worker.answer()]
    assert len(lucky) == SLOTS

    mine, another = claim(), claim()
    assert not mine.try_take()
    lucky[0].kill()
    take(mine, NAME, "queue", "")
    assert not another.try_take()

    mine.release()
    assert another.try_take()
    another.release()


def test_who_will_not_wait_is_told_so_and_holds_nothing(claim: "partial[Claim]") -> None:
    first, second, third = claim(), claim(), claim()
    for lucky in (first, second):
        take(lucky, NAME, "fail", ADVICE)
    with pytest.raises(TooManyRuns, match=r"hello_world: that many are at it already\. Wait\."):
        take(third, NAME, "fail", ADVICE)
    third.release()
    first.release()
    take(third, NAME, "fail", ADVICE)
    for lucky in (second, third):
        lucky.release()


def test_who_waits_says_so_once(no_waits: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "taxi_platform")
    tries = iter([False, False, False, True])

    class Busy:
        def try_take(self) -> bool:
            return next(tries)

        def release(self) -> None: ...

    take(Busy(), NAME, "queue", ADVICE)
    assert caplog.messages == ["hello_world: that many are at it already; waiting until one ends"]
    assert no_waits == [0.05, 0.1, 0.2]


def test_slots_of_two_jobs_are_not_the_same(database: str, tmp_path: Path) -> None:
    for kind, place in ((PostgresClaim, database), (FileClaim, tmp_path)):
        held = [kind(place, job, 1) for job in ("hello_world", "another")]  # pyright: ignore
        assert [one.try_take() for one in held] == [True, True]
        for one in held:
            one.release()


@pytest.mark.parametrize("text", ["Fail", "wait", ""])
def test_a_tag_that_means_nothing_is_named(text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"the tag a/b={text}: it is neither fail nor queue"):
        when_full(text, "a/b")
    assert [when_full(choice, "a/b") for choice in ("fail", "queue")] == ["fail", "queue"]


def test_a_database_that_is_gone_is_named() -> None:
    with pytest.raises(DatabaseUnreachable, match="nothing listens on the port"):
        PostgresClaim("postgresql://taxi@127.0.0.1:1/dagster", NAME, SLOTS).try_take()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "slots").write_text("a file")
    with pytest.raises(StorageFull, match="slots"):
        FileClaim(tmp_path / "slots", NAME, SLOTS).try_take()


def test_an_instance_in_memory_has_slots_of_its_own() -> None:
    with dg.DagsterInstance.ephemeral() as one, dg.DagsterInstance.ephemeral() as other:
        first, second = (claim_on(one, NAME, 1) for _ in range(2))
        assert [first.try_take(), second.try_take()] == [True, False]
        assert claim_on(other, NAME, 1).try_take()
        first.release()


def test_an_instance_whose_state_other_machines_may_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class MySQLEventLogStorage: ...

    with dg.DagsterInstance.ephemeral() as instance, monkeypatch.context() as patched:
        patched.setattr(instance, "_event_storage", MySQLEventLogStorage())
        with pytest.raises(UnsupportedServer, match=r"MySQLEventLogStorage: there is no place .* in PostgreSQL"):
            claim_on(instance, NAME, SLOTS)

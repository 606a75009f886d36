"""One build of the models at a time in a dataset: a second one waits, and the lock of a killed one expires."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from taxi_platform.bigquery import locking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.locking import LIFE, exclusive
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform_tests.support.google_server import Answer
from taxi_platform_tests.support.job_server import JobServer

NAME = "build_lock"


@pytest.fixture
def cloud(ready_cloud: Cloud, front: JobServer) -> Cloud:
    """Return a cloud whose BigQuery requests go through a server that records them and can lose answers."""
    return replace(ready_cloud, bigquery_host=front.url)


def expiry(request: object) -> datetime:
    """Return when a lock that is created or extended expires."""
    return datetime.fromtimestamp(int(request.json["expirationTime"]) / 1000, timezone.utc)  # type: ignore


def test_a_second_holder_waits_until_the_first_has_ended(cloud: Cloud) -> None:
    happened: list[str] = []

    def take() -> None:
        with exclusive(cloud, NAME, "waiting"):
            happened.append("taken")

    second = threading.Thread(target=take)
    with exclusive(cloud, NAME, "waiting"):
        second.start()
        second.join(1)
        happened.append("released")
    second.join(60)
    assert happened == ["released", "taken"]
    assert list(cloud.bigquery.list_tables(dataset_of(cloud))) == []


def test_a_lock_expires_soon_and_is_extended_while_it_is_held(
    cloud: Cloud, front: JobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "EXTENDED_EVERY", 0.02)
    with exclusive(cloud, NAME, "waiting"):
        started = datetime.now(timezone.utc)
        while not (extended := front.asked("PATCH")):
            assert datetime.now(timezone.utc) - started < timedelta(seconds=60)
    (created,) = front.asked("POST")
    now = datetime.now(timezone.utc)
    assert now < expiry(created) < expiry(extended[0]) < now + LIFE


def test_a_lock_whose_answer_was_lost_is_held(cloud: Cloud, front: JobServer, no_waits: list[float]) -> None:
    front.script("POST", Answer(lost=True))
    with exclusive(replace(cloud, retries=replace(cloud.retries, first_wait=0.01, jitter=0.0)), NAME, "waiting"):
        assert len(front.asked("POST")) == 2


def test_a_lock_that_its_holder_did_not_extend_expires(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "LIFE", timedelta(seconds=-1))
    killed = locking._Lock(cloud, NAME)
    assert killed.try_to_take()
    with exclusive(cloud, NAME, "waiting"):
        pass


def test_a_holder_whose_lock_expired_leaves_the_lock_of_the_next_one(
    cloud: Cloud, front: JobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "LIFE", timedelta(seconds=-1))
    late = locking._Lock(cloud, NAME)
    assert late.try_to_take()
    monkeypatch.setattr(locking, "LIFE", LIFE)
    with exclusive(cloud, NAME, "waiting"):
        monkeypatch.setattr(locking, "EXTENDED_EVERY", 0.0)
        late.extend_until(threading.Event())  # returns
        late.release()
        assert front.asked("PATCH") == []
        assert [table.table_id for table in cloud.bigquery.list_tables(dataset_of(cloud))] == [NAME]

"""The emulators of Google Cloud: started once and shared. ``cli/test_demo`` shows that they keep their data."""

import os
from pathlib import Path

import pytest

from deploy.emulators.servers import Addresses, Emulators
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.errors import CloudNotReady, CloudUnavailable
from taxi_platform_tests.support.emulators import start_or_skip


def test_the_clients_talk_to_them(ready_cloud: Cloud) -> None:
    ready_cloud.storage.bucket(ready_cloud.bucket).blob("a").upload_from_string("b")
    assert ready_cloud.storage.bucket(ready_cloud.bucket).blob("a").download_as_bytes() == b"b"
    assert [tuple(row.values()) for row in ready_cloud.bigquery.query_and_wait("select 1, 'a'")] == [(1, "a")]


def test_a_second_start_returns_the_running_emulators(emulators: Addresses) -> None:
    assert start_or_skip(Path(os.environ["TAXI_TEST_SERVER_FOLDER"]) / "google") == emulators


def test_stopping_is_possible_when_none_runs(tmp_path: Path) -> None:
    Emulators(tmp_path / "never").stop()
    assert not (tmp_path / "never").exists()


def test_the_message_says_how_to_install_them(tmp_path: Path) -> None:
    with pytest.raises(CloudNotReady, match="make emulators"):
        Emulators(tmp_path / "data", tmp_path / "nothing").start()


def test_the_message_says_why_one_does_not_start(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    (programs / "bin").mkdir(parents=True)
    (programs / ".installed").touch()
    for name in ("gcp-storage-emulator", "bqemulator"):
        (programs / "bin" / name).write_text("#!/bin/sh\necho no room\nexit 1\n")
        (programs / "bin" / name).chmod(0o755)
    with pytest.raises(CloudUnavailable, match="no room"):
        Emulators(tmp_path / "data", programs).start()

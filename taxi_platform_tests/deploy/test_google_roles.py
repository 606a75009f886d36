"""deploy/google-roles.sh: it grants exactly the roles that docs/cloud.md lists."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from taxi_platform.bigquery.errors import _ROLES  # pyright: ignore[reportPrivateUsage]
from taxi_platform.settings import PROJECT

SCRIPT = PROJECT / "deploy/google-roles.sh"
MEMBER = "user:me@example.com"
NAMES = {
    "GCP_PROJECT_ID": "trips-123",
    "GCP_LOCATION": "EU",
    "GCP_BUCKET_NAME": "lake",
    "GCP_DATASET": "zoomcamp",
    "GCP_SERVICE_ACCOUNT": "loader",
    "LOGS_BUCKET": "logs",
    "LANDING_BUCKET": "landing",
    "SECRET": "key",
}
PLACES = {
    "projects": "the project",
    "lake": "the bucket",
    "logs": "their bucket",
    "landing": "its bucket",
    "secrets": "the secret",
    "iam": "the service account",
    "bq": "the dataset",
}


def documented() -> dict[str, set[tuple[str, str]]]:
    """Return by task the roles that the page lists, each with the resource that it is granted on."""
    section = (PROJECT / "docs/cloud.md").read_text(encoding="utf-8").partition("## Roles")[2].partition("\n## ")[0]
    found: dict[str, set[tuple[str, str]]] = {}
    for task, roles, place in re.findall(r"^\| `([\w-]+)`[^|]*\| ([^|]*roles/[^|]*) \| ([^|]*) \|$", section, re.M):
        found.setdefault(task, set()).update((role, place) for role in re.findall(r"roles/[\w.]+", roles))
    return found


def granted(task: str, folder: Path) -> set[tuple[str, str]]:
    """Return the roles that the script grants for a task, each with its resource; no program is run."""
    for name in ("gcloud", "bq"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/calls"\n')
        (folder / name).chmod(0o755)
    environment = {**os.environ, **NAMES, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([str(SCRIPT), task, MEMBER], env=environment, check=True)
    calls = (folder / "calls").read_text().splitlines()
    assert all(MEMBER in call for call in calls)
    return {(re.findall(r"roles/[\w.]+", call)[0], _place(call)) for call in calls}


def _place(call: str) -> str:
    bucket = re.search(r"gs://(\w+)", call)
    first = call.split()[1]
    return PLACES[bucket[1] if bucket else "bq" if call.startswith("bq ") else first]


@pytest.mark.parametrize("task", documented())
def test_the_script_grants_what_the_page_lists(task: str, tmp_path: Path) -> None:
    assert granted(task, tmp_path) == documented()[task]


def test_the_page_lists_every_task_of_the_script_and_every_role_that_a_message_names() -> None:
    tasks = set(re.findall(r"^  ([a-z-]+)\)", SCRIPT.read_text(), re.M))
    assert set(documented()) == tasks
    named = {role for _, role in _ROLES if role != "roles/secretmanager.viewer"}
    assert named <= {role for roles in documented().values() for role, _ in roles}


def test_it_is_valid_bash_and_refuses_other_tasks() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    done = subprocess.run([str(SCRIPT), "everything", MEMBER], capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)

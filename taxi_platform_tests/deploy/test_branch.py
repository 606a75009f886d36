"""deploy/branch.sh: its commands of gcloud, kubectl, helm and bq, here stubs. It was never run on a cluster."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from taxi_platform.settings import PROJECT

SCRIPT = PROJECT / "deploy/branch.sh"
NAMES = {
    "GCP_PROJECT_ID": "trips-123",
    "GCP_LOCATION": "EU",
    "GCP_BUCKET_NAME": "lake",
    "GCP_SERVICE_ACCOUNT": "branches@trips-123.iam.gserviceaccount.com",
    "CLOUD_SQL_INSTANCE": "trips",
    "POSTGRES_HOST": "10.0.0.3",
    "TAXI_DB_PASSWORD": "tr1ps",
    "DAGSTER_DB_PASSWORD": "d4gs",
    "IMAGE": "ghcr.io/me/taxi_platform",
    "IMAGE_TAG": "c0ffee",
}


def names(branch: str) -> list[str]:
    """Return the namespace, the two databases and the dataset of a branch."""
    return subprocess.run([SCRIPT, "names", branch], capture_output=True, text=True, check=True).stdout.split()


def asked(task: str, folder: Path, there: bool) -> str:
    """Return the commands of a task, one a line, with their input; the databases exist already or do not."""
    for name in ("gcloud", "bq", "kubectl", "helm"):
        (folder / name).write_text(
            f'#!/bin/sh\necho "{name} $*" >> "{folder}/calls"\n'
            f'case "$*" in *filename=-*) exec cat >/dev/null ;; *from-env-file*) cat >> "{folder}/calls" ;; '
            f'*"databases describe"*) exit {0 if there else 1} ;; esac\n'
        )
        (folder / name).chmod(0o755)
    environment = {**os.environ, **NAMES, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([SCRIPT, task, "feature/New tips"], env=environment, check=True, capture_output=True)
    return (folder / "calls").read_text()


@pytest.mark.parametrize("branch", ["x", "feature/New-Tips.2", "--", "ümläut", "a" * 200])
def test_the_names_of_a_branch_are_valid_and_unique(branch: str) -> None:
    namespace, *others = names(branch)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])", namespace)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) for name in others)
    assert set(names(branch)).isdisjoint(names(branch + "_"))


def test_a_branch_gets_its_own_databases_settings_and_release(tmp_path: Path) -> None:
    namespace, trips, state, dataset = names("feature/New tips")
    calls = asked("up", tmp_path, there=False)
    assert re.findall(r"databases create (\w+)", calls) == [trips, state]
    assert f"TAXI_POSTGRES_URL=postgresql://taxi:tr1ps@10.0.0.3:5432/{trips}\n" in calls
    assert f"TAXI_DAGSTER_POSTGRES_URL=postgresql://dagster:d4gs@10.0.0.3:5432/{state}\n" in calls
    assert f"GCP_DATASET={dataset}\n" in calls
    assert f"--dataset trips-123:{dataset}\n" in calls
    assert f"ON SCHEMA `trips-123.{dataset}` TO 'serviceAccount:{NAMES['GCP_SERVICE_ACCOUNT']}'" in calls
    assert f"kubectl apply --namespace={namespace} --filename=helm/policies.yaml\n" in calls
    (release,) = re.findall(r"helm upgrade .*", calls)
    assert f"--namespace {namespace}" in release
    assert "deployments[0].image.tag=c0ffee" in release
    assert not re.search("tr1ps|d4gs", "\n".join(re.findall(r"^(?:gcloud|bq|kubectl|helm) .*", calls, re.M)))


def test_everything_that_was_created_for_a_branch_is_removed_and_nothing_else(tmp_path: Path) -> None:
    namespace, trips, state, dataset = names("feature/New tips")
    calls = asked("down", tmp_path, there=True)
    assert f"kubectl delete namespace {namespace} " in calls
    assert re.findall(r"databases delete (\w+)", calls) == [trips, state]
    assert f"rm --recursive --force --dataset trips-123:{dataset}\n" in calls
    assert f"svc.id.goog[{namespace}/taxi-platform]" in calls
    assert "lake" not in calls

"""The page that compares with Kestra: quoted lines exist, commands work, and every flow is there."""

import re
from pathlib import Path

import pytest

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.shell import typed

PAGE = (PROJECT / "docs/from-kestra.md").read_text(encoding="utf-8")
CONCEPTS = [
    "flow", "task", "input", "output", "trigger", "execution", "variable", "plugin default", "concurrency", "label",
    "KV store", "secret", "namespace file", "backfill", "replay",
]  # fmt: skip
FLOWS = [
    "01_hello_world", "02_python", "03_getting_started_data_pipeline", "04_postgres_taxi", "05_postgres_taxi_scheduled",
    "05_postgres_dbt", "06_gcp_kv", "07_gcp_setup", "08_gcp_taxi", "09_gcp_taxi_scheduled", "07_gcp_dbt",
    "10_chat_without_rag", "11_chat_with_rag",
]  # fmt: skip


def test_every_quoted_line_is_in_the_file_that_it_links_to() -> None:
    quoted = re.findall(r"\[`([^`]+)`\]\(\.\./([^)#]+)\)", PAGE)
    assert len(quoted) > 25
    elsewhere = [(line, file) for line, file in quoted if line not in (PROJECT / file).read_text(encoding="utf-8")]
    assert elsewhere == []


def test_every_concept_and_every_flow_is_there() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [concept for concept in CONCEPTS if f"\n| {concept} |" not in PAGE] == []
    for page in (PAGE, readme):
        assert [flow for flow in FLOWS if not re.search(rf"\n\| [^|]*`{flow}`", page)] == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("dagster schedule stop green_monthly_schedule", "Stopped schedule green_monthly_schedule"),
        ("dagster job execute -j chat && dagster run list", "JOB: chat"),
        (
            "dagster instance concurrency set postgres 6 && dagster instance concurrency get postgres",
            "0 / 6 slots occupied",
        ),
    ],
)
def test_commands_that_no_other_test_runs(command: str, expected: str, state_database: str, tmp_path: Path) -> None:
    done = typed(command, data=tmp_path, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=state_database)
    assert done.returncode == 0, done.stdout
    assert expected.lower() in done.stdout.lower()

"""Recordings of Google's answers: no file has anything of a real project, and each file is one answer."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from google.api_core.exceptions import NotFound
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.bigquery.clients import Cloud
from taxi_platform_tests.support.google_server import GoogleServer
from taxi_platform_tests.support.recordings import (
    ACCOUNT,
    BUCKET,
    DATASET,
    FOLDER,
    PROJECT,
    Recorder,
    private,
    recorded,
    scrub,
)

NAMES = {"acme-taxis-77": PROJECT, "acme-taxis-77-lake": BUCKET, "acme_trips": DATASET, "810023456789": "123456"}


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Not found: Dataset acme-taxis-77:acme_trips", f"Not found: Dataset {PROJECT}:{DATASET}"),
        ("gs://acme-taxis-77-lake/raw/green", f"gs://{BUCKET}/raw/green"),
        ("/b/ACME-TAXIS-77-LAKE/o", f"/b/{BUCKET}/o"),
        ("loader@acme-taxis-77.iam.gserviceaccount.com does not have", f"{ACCOUNT} does not have"),
        ("user:Ann.Lee+x@example.co.uk denied", f"user:{ACCOUNT} denied"),
        ("ann%40example.com", ACCOUNT),
        ("Authorization: Bearer ya29.a0AfH6SMB-x_y.z", "Authorization: Bearer TOKEN"),
        ('{"access_token": "abc.DEF-123"}', '{"access_token": "TOKEN"}'),
        ('{"refresh_token":"1//0gAbCdEfGhIjKlMnOpQrStUv"}', '{"refresh_token":"TOKEN"}'),
        ("eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl", "TOKEN"),
        ("?uploadType=resumable&upload_id=ABg5-Ux_9", "?uploadType=resumable&upload_id=TOKEN"),
        ('"projectNumber": "810023456789"', '"projectNumber": "123456"'),
        ("projects/555555555555/secrets", "projects/123456/secrets"),
        ("service-810023456789@gs-project-accounts.iam.gserviceaccount.com", ACCOUNT),
    ],
)
def test_what_belongs_to_a_project_is_replaced(text: str, scrubbed: str) -> None:
    assert scrub(text, NAMES) == scrubbed
    assert private(scrubbed, NAMES) == []


@pytest.mark.parametrize(
    "text", ["in acme-taxis-77", "Acme_Trips", "by bob@example.org", "ya29.x", "eyJhbGciOiJSUzI1NiJ9", "PRIVATE KEY"]
)
def test_what_is_private_is_found(text: str) -> None:
    assert private(text, NAMES)


@given(st.lists(st.sampled_from([*NAMES, "ann@example.com", "ya29.abc-DEF", "projects/123456789", " ", "/", ":", '"'])))
def test_nothing_private_is_left_whatever_surrounds_it(parts: list[str]) -> None:
    assert private(scrub("".join(parts), NAMES), NAMES) == []


@pytest.fixture
def recorder(tmp_path: Path, google_cloud: Cloud) -> Recorder:
    recorder = Recorder({"acme": PROJECT}, tmp_path)
    recorder.listen(google_cloud.storage, google_cloud.bigquery)
    return recorder


def test_the_last_answer_is_written_and_can_be_replayed(
    recorder: Recorder, nothing: GoogleServer, google_cloud: Cloud, tmp_path: Path
) -> None:
    with recorder.records("dataset_missing"), suppress(NotFound):
        google_cloud.bigquery.get_dataset("zoomcamp")
    written = json.loads((tmp_path / "dataset_missing.json").read_text())
    assert written["origin"].startswith("recorded 20")
    assert written["request"] == {"method": "GET", "path": "/bigquery/v2/projects/trips-123/datasets/zoomcamp"}
    assert (written["answer"]["status"], written["answer"]["body"]) == recorded("dataset_missing")


def test_an_answer_that_would_reveal_a_private_name_is_not_written(
    recorder: Recorder, nothing: GoogleServer, google_cloud: Cloud, tmp_path: Path
) -> None:
    recorder.names[DATASET] = "acme"  # puts a private name into the answer
    refused = pytest.raises(ValueError, match=r"dataset_missing.json would contain")
    with refused, recorder.records("dataset_missing"), suppress(NotFound):
        google_cloud.bigquery.get_dataset("zoomcamp")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_a_file_names_its_origin_and_has_an_error_of_googles(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["origin"] == "documentation, written by hand" or kept["origin"].startswith("recorded 20")
    status, body = recorded(path.stem)
    assert body["error"]["code"] == status >= 400
    assert body["error"]["message"]
    assert private(path.read_text(encoding="utf-8"), {}) == []

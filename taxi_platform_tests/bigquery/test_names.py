"""The names in Google Cloud: which are accepted, and the messages about the others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from taxi_platform.bigquery.clients import cloud_of, problems_of_names
from taxi_platform.errors import CloudNotConfigured
from taxi_platform.settings import CloudSettings

GOOD = {
    "project_id": "trips-123",
    "location": "europe-west2",
    "bucket_name": "trips-123-lake",
    "dataset": "zoomcamp",
}


def messages_for(**names: str) -> list[str]:
    return [str(problem) for problem in problems_of_names(CloudSettings.model_construct(**{**GOOD, **names}))]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("project_id", "abcdef"),
        ("project_id", "a" * 30),
        ("project_id", "example.com:trips-123"),
        ("location", "EU"),
        ("location", "us"),
        ("location", "northamerica-northeast1"),
        ("location", "EUROPE-WEST10"),
        ("bucket_name", "abc"),
        ("bucket_name", "a" * 63),
        ("bucket_name", "1.trips_of-2019.example"),
        ("dataset", "Trips_2019"),
        ("dataset", "1"),
    ],
)
def test_names_that_google_accepts_are_accepted(setting: str, value: str) -> None:
    assert messages_for(**{setting: value}) == []


@pytest.mark.parametrize(
    ("setting", "value", "what", "advice"),
    [
        ("project_id", "My Trips", "this cannot be the id of a project", "6 to 30 lower-case letters"),
        ("project_id", "trips-", "this cannot be the id of a project", "6 to 30 lower-case letters"),
        ("project_id", "123456789012", "this cannot be the id of a project", "not the project's name or number"),
        ("location", "europe-west2-a", "this is not a location", "a region such as europe-west2, not a zone"),
        ("location", "London", "this is not a location", "a region such as europe-west2"),
        ("bucket_name", "gs://trips", "a bucket cannot have this name", "without gs://"),
        ("bucket_name", "Trips-lake", "a bucket cannot have this name", "3 to 63 lower-case letters"),
        ("bucket_name", "192.168.5.4", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "goog-trips", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "my-google-trips", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "ab", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "a" * 64, "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "trips..lake", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "-trips", "a bucket cannot have this name", "begins and ends with a letter or digit"),
        ("bucket_name", "trips\n", "a bucket cannot have this name", "begins and ends with a letter or digit"),
        ("dataset", "zoom-camp", "a dataset cannot have this name", "no dashes"),
        ("dataset", "trips.zoomcamp", "a dataset cannot have this name", "letters, digits and underscores"),
        ("dataset", "zöomcamp", "a dataset cannot have this name", "letters, digits and underscores"),
        ("dataset", "a" * 1025, "a dataset cannot have this name", "at most 1024"),
    ],
)
def test_names_that_google_does_not_accept_are_explained(setting: str, value: str, what: str, advice: str) -> None:
    (message,) = messages_for(**{setting: value})
    assert message.startswith(f"GCP_{setting.upper()}={value}: ")
    assert what in message
    assert advice in message


@given(st.text(max_size=70))
def test_an_accepted_bucket_name_can_be_part_of_a_url(name: str) -> None:
    if not messages_for(bucket_name=name):
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]+[a-z0-9]", name)
        assert len(name) >= 3


def test_every_wrong_name_is_reported() -> None:
    wrong = CloudSettings.model_construct(project_id="X", location="X", bucket_name="X", dataset="-")
    reported = [str(problem).partition("=")[0] for problem in problems_of_names(wrong)]
    assert reported == ["GCP_PROJECT_ID", "GCP_LOCATION", "GCP_BUCKET_NAME", "GCP_DATASET"]


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ([], "GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME, GCP_DATASET: not set. "),
        (["location"], "GCP_PROJECT_ID, GCP_BUCKET_NAME, GCP_DATASET: not set, while GCP_LOCATION is. "),
        (
            ["project_id", "location", "bucket_name"],
            "GCP_DATASET: not set, while GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME are. ",
        ),
    ],
)
def test_settings_that_are_missing_are_named(present: list[str], message: str) -> None:
    names = {name: value if name in present else "" for name, value in GOOD.items()}
    with pytest.raises(CloudNotConfigured) as caught:
        cloud_of(CloudSettings.model_construct(**names))
    assert str(caught.value) == (
        f"{message}Google Cloud's assets and jobs need all four; see .env.example and docs/cloud.md."
    )


def test_the_key_is_not_shown_with_the_cloud() -> None:
    assert "topsecret" not in repr(cloud_of(CloudSettings.model_construct(**GOOD, creds=SecretStr("topsecret"))))

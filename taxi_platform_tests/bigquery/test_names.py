"""The names in Google Cloud: which are accepted, and what is said of the others before anything is asked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.bigquery.clients import Cloud, cloud_named
from taxi_platform.bigquery.names import problems_of_names
from taxi_platform.errors import CloudNotConfigured, InvalidSetting

GOOD = {
    "project_id": "trips-123",
    "location": "europe-west2",
    "bucket_name": "trips-123-lake",
    "dataset": "zoomcamp",
}


def said_of(**names: str) -> list[str]:
    return [str(problem) for problem in problems_of_names(**{**GOOD, **names})]


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
def test_what_google_accepts_is_accepted(setting: str, value: str) -> None:
    assert said_of(**{setting: value}) == []


@pytest.mark.parametrize(
    ("setting", "value", "what", "advice"),
    [
        ("project_id", "My Trips", "this cannot be the id of a project", "6 to 30 lower-case letters"),
        ("project_id", "trips", "this cannot be the id of a project", "6 to 30 lower-case letters"),
        ("project_id", "trips-", "this cannot be the id of a project", "6 to 30 lower-case letters"),
        ("project_id", "123456789012", "this is a project's number, not its id", "`gcloud projects list`"),
        ("location", "europe-west2-a", "this is a zone", "Set GCP_LOCATION=europe-west2."),
        ("location", "London", "this is not a location", "a region such as europe-west2"),
        ("location", "ASIA", "this is not a location", "or the multi-region EU or US"),
        ("location", "eur4", "this is not a location", "or the multi-region EU or US"),
        ("bucket_name", "gs://trips", "this is an address", "3 to 63"),
        ("bucket_name", "Trips-lake", "has no capital letters", "3 to 63 lower-case letters"),
        ("bucket_name", "192.168.5.4", "must not look like an IP address", "3 to 63"),
        ("bucket_name", "goog-trips", "must not begin with `goog`", "3 to 63"),
        ("bucket_name", "my-google-trips", "nor contain `google`", "3 to 63"),
        ("bucket_name", "ab", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "a" * 64, "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "trips..lake", "a bucket cannot have this name", "3 to 63"),
        ("bucket_name", "-trips", "a bucket cannot have this name", "begins and ends with a letter or digit"),
        ("bucket_name", "trips lake", "a bucket cannot have this name", "begins and ends with a letter or digit"),
        ("bucket_name", "trips\n", "a bucket cannot have this name", "begins and ends with a letter or digit"),
        ("dataset", "zoom-camp", "a dataset's name has no dashes", "For instance zoom_camp."),
        ("dataset", "trips-123.zoomcamp", "a dataset's name has no dashes", "letters, digits and underscores"),
        ("dataset", "trips.zoomcamp", "a dataset is named without its project", "letters, digits and underscores"),
        ("dataset", "zöomcamp", "a dataset cannot have this name", "letters, digits and underscores"),
        ("dataset", "a" * 1025, "a dataset cannot have this name", "at most 1024"),
    ],
)
def test_what_google_does_not_accept_is_named_with_what_is_valid(
    setting: str, value: str, what: str, advice: str
) -> None:
    (said,) = said_of(**{setting: value})
    assert said.startswith(f"GCP_{setting.upper()}={value}: ")
    assert what in said
    assert advice in said


@given(st.text(max_size=70))
def test_no_text_at_all_is_a_bucket_that_an_address_could_not_hold(name: str) -> None:
    if not said_of(bucket_name=name):
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]+[a-z0-9]", name)
        assert len(name) >= 3


def test_every_wrong_name_is_told_at_once() -> None:
    said = [str(problem).partition("=")[0] for problem in problems_of_names("X", "X", "X", "-")]
    assert said == ["GCP_PROJECT_ID", "GCP_LOCATION", "GCP_BUCKET_NAME", "GCP_DATASET"]


def test_good_names_are_a_cloud_of_which_nothing_is_asked_yet() -> None:
    assert cloud_named(**GOOD) == Cloud("trips-123", "europe-west2", "trips-123-lake", "zoomcamp")


def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"^GCP_DATASET=zoom-camp: "):
        cloud_named(**GOOD | {"dataset": "zoom-camp"})


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([], "GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME, GCP_DATASET: not set. "),
        (["location"], "GCP_PROJECT_ID, GCP_BUCKET_NAME, GCP_DATASET: not set, while GCP_LOCATION is. "),
        (
            ["project_id", "location", "bucket_name"],
            "GCP_DATASET: not set, while GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME are. ",
        ),
    ],
)
def test_settings_that_are_missing_are_named(there: list[str], said: str) -> None:
    names = {name: value if name in there else "" for name, value in GOOD.items()}
    with pytest.raises(CloudNotConfigured) as caught:
        cloud_named(**names)
    assert str(caught.value) == (
        f"{said}Google Cloud's assets and jobs need all four; see .env.example and docs/cloud.md."
    )


def test_the_key_is_not_shown_with_the_cloud() -> None:
    assert "topsecret" not in repr(cloud_named(**GOOD, creds="topsecret"))

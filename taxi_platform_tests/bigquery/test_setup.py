"""Creating the bucket and the dataset, and checking them before a run: the requests and the error messages."""

from dataclasses import replace

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.setup import preflight, problems, set_up
from taxi_platform.errors import CloudNotReady, CloudRefused, TaxiError
from taxi_platform_tests.support.google_server import Answer, GoogleServer

MAKING = ("POST /storage/v1/b", "POST /bigquery/v2/projects/trips-123/datasets")
GETTING = ("GET /storage/v1/b/trips-123-lake", "GET /bigquery/v2/projects/trips-123/datasets/zoomcamp")


def made(google: GoogleServer) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in google.requests if asked.method != "GET"]


def found_problems(google_cloud: Cloud) -> list[TaxiError]:
    return list(problems(google_cloud))


# Creating


def test_bucket_and_dataset_are_created_if_they_are_missing(
    nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    done = set_up(google_cloud)
    where = {"bucket": "gs://trips-123-lake", "dataset": "trips-123.zoomcamp", "location": "EU"}
    assert done == {**where, "made_bucket": True, "made_dataset": True}
    assert logged.messages == ["bucket trips-123-lake: created, in EU", "dataset zoomcamp: created, in EU"]
    (bucket,) = nothing.asked(MAKING[0])
    assert bucket.query["project"] == "trips-123"
    assert bucket.json == {
        "name": "trips-123-lake",
        "location": "EU",
        "storageClass": "STANDARD",
        "labels": {"app": "taxi_platform"},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
        "lifecycle": {
            "rule": [{"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["staging/"]}}],
        },
    }
    (dataset,) = nothing.asked(MAKING[1])
    assert dataset.json == {
        "datasetReference": {"projectId": "trips-123", "datasetId": "zoomcamp"},
        "location": "EU",
        "labels": {"app": "taxi_platform"},
        "description": "NYC taxi trips, loaded by taxi_platform: every row of every file exactly once.",
    }
    assert found_problems(google_cloud) == []


def test_an_existing_bucket_is_not_changed(
    nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    nothing.add_bucket("trips-123-lake", "eu")
    nothing.buckets["trips-123-lake"]["labels"] = {"whose": "mine"}
    done = set_up(google_cloud)
    assert (done["made_bucket"], done["made_dataset"]) == (False, True)
    assert nothing.buckets["trips-123-lake"]["labels"] == {"whose": "mine"}
    assert "no lifecycle rule deletes objects under staging/" in logged.text


@pytest.mark.parametrize("prefixes", [{"matchesPrefix": ["staging/"]}, {}], ids=["staging", "all"])
def test_a_bucket_that_removes_old_objects_causes_no_warning(
    prefixes: dict, nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    nothing.add_bucket("trips-123-lake", "EU")
    rule = {"action": {"type": "Delete"}, "condition": {"age": 7, **prefixes}}
    nothing.buckets["trips-123-lake"]["lifecycle"] = {"rule": [rule]}
    set_up(google_cloud)
    assert "lifecycle" not in logged.text


def test_another_run_may_create_them_first(
    nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    nothing.script(MAKING[0], Answer(before=lambda: nothing.add_bucket("trips-123-lake")))
    nothing.script(MAKING[1], Answer(before=lambda: nothing.add_dataset("zoomcamp")))
    done = set_up(google_cloud)
    assert (done["made_bucket"], done["made_dataset"]) == (False, False)
    assert logged.messages == [
        "bucket trips-123-lake: another run has created it at the same time",
        "dataset zoomcamp: another run has created it at the same time",
    ]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("fault", [Answer(503), Answer(lost=True)], ids=["503", "lost"])
def test_a_request_that_fails_is_sent_again(
    which: int, fault: Answer, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.script(MAKING[which], fault)
    set_up(google_cloud)
    assert (list(nothing.buckets), list(nothing.datasets)) == (["trips-123-lake"], ["zoomcamp"])


# What is refused


@pytest.mark.parametrize("lies_in", ["US", "EUROPE-WEST2"], ids=str)
def test_a_bucket_in_another_location_is_refused_before_anything_is_created(
    lies_in: str, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.add_bucket("trips-123-lake", lies_in)
    with pytest.raises(CloudNotReady) as caught:
        set_up(google_cloud)
    assert str(caught.value) == (
        f"bucket trips-123-lake: it is in {lies_in}, and GCP_LOCATION is EU; BigQuery does not load from one into "
        f"the other. Set GCP_LOCATION={lies_in}, or GCP_BUCKET_NAME to a new name: neither can be moved."
    )
    assert made(nothing) == []


@pytest.mark.parametrize(("lies_in", "location"), [("EUROPE-WEST4", "EU"), ("US-CENTRAL1", "US"), ("ASIA", "US")])
def test_a_bucket_elsewhere_is_used_where_bigquery_loads_from_it(
    lies_in: str, location: str, nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    nothing.add_bucket("trips-123-lake", lies_in)
    nothing.add_dataset("zoomcamp", location)
    assert found_problems(replace(google_cloud, location=location)) == []
    assert f"bucket trips-123-lake: it is in {lies_in}, while GCP_LOCATION is {location}" in logged.text


def test_a_dataset_in_another_location_is_refused(nothing: GoogleServer, google_cloud: Cloud) -> None:
    nothing.add_dataset("zoomcamp", "US")
    with pytest.raises(CloudNotReady, match=r"^dataset zoomcamp: it is in US, and GCP_LOCATION is EU; .* GCP_DATASET"):
        set_up(google_cloud)
    (problem,) = [str(one) for one in found_problems(google_cloud) if "dataset" in one.subject]
    assert "it is in US" in problem


@pytest.mark.parametrize("seen_at", ["once", "when it is made"])
def test_the_message_says_that_a_bucket_name_is_taken(seen_at: str, nothing: GoogleServer, google_cloud: Cloud) -> None:
    if seen_at == "when it is made":
        nothing.script(MAKING[0], Answer(before=lambda: nothing.strangers.add("trips-123-lake")))
    else:
        nothing.strangers.add("trips-123-lake")
    with pytest.raises(CloudNotReady) as caught:
        set_up(google_cloud)
    assert "the name is taken by somebody else" in caught.value.what
    assert caught.value.advice == (
        "Set GCP_BUCKET_NAME to another name, such as trips-123-taxi-lake; "
        "if the bucket is yours, have the account granted roles/storage.legacyBucketReader."
    )
    assert nothing.datasets == {}


@pytest.mark.parametrize(
    ("which", "message", "role"),
    [
        (MAKING[0], "robot does not have storage.buckets.create access to the project.", "roles/storage.admin"),
        (MAKING[1], "Access Denied: User does not have bigquery.datasets.create permission.", "roles/bigquery.user"),
        (GETTING[1], "Permission bigquery.datasets.get denied on dataset zoomcamp.", "roles/bigquery.dataEditor"),
    ],
)
def test_the_role_that_is_missing_is_named(
    which: str, message: str, role: str, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.script(which, Answer(403, message, "forbidden"))
    with pytest.raises(CloudRefused) as caught:
        set_up(google_cloud)
    assert caught.value.advice == f"Have the account granted {role}; see docs/cloud.md."
    assert not caught.value.transient


def test_a_project_that_does_not_exist_is_named(nothing: GoogleServer, google_cloud: Cloud) -> None:
    elsewhere = replace(google_cloud, project="trips-124")
    with pytest.raises(CloudNotReady, match="there is no such project: Unknown project id: trips-124"):
        set_up(elsewhere)
    nothing.add_bucket("trips-123-lake")
    with pytest.raises(CloudNotReady, match="there is no such project: Not found: Project trips-124"):
        set_up(elsewhere)


# Before a run


def test_a_complete_set_up_has_no_problems(google: GoogleServer, google_cloud: Cloud) -> None:
    assert found_problems(google_cloud) == []
    assert made(google) == ["POST /bigquery/v2/projects/trips-123/jobs"]
    (job,) = google.asked("POST /bigquery/v2/projects/trips-123/jobs")
    assert job.json["configuration"]["dryRun"] is True


def test_the_message_names_the_job_that_creates_what_is_missing(nothing: GoogleServer, google_cloud: Cloud) -> None:
    assert [str(problem) for problem in found_problems(google_cloud)] == [
        f"{what}. The job gcp_setup makes it: `dagster job execute -j gcp_setup`."
        for what in (
            "bucket trips-123-lake: there is no such bucket",
            "dataset zoomcamp: there is no such dataset",
        )
    ]


def test_missing_permissions_for_objects_are_found_before_the_first_upload(
    google: GoogleServer, google_cloud: Cloud
) -> None:
    google.granted -= {"storage.objects.create", "storage.objects.delete"}
    (problem,) = found_problems(google_cloud)
    assert str(problem) == (
        "bucket trips-123-lake: the account lacks storage.objects.create, storage.objects.delete there. "
        "Have the account granted roles/storage.objectUser; see docs/cloud.md."
    )


def test_a_missing_permission_for_jobs_is_found_before_the_first_upload(
    google: GoogleServer, google_cloud: Cloud
) -> None:
    denial = (
        "Access Denied: Project trips-123: User does not have bigquery.jobs.create permission in project trips-123."
    )
    google.script("POST /bigquery/v2/projects/trips-123/jobs", Answer(403, denial, "accessDenied"))
    (problem,) = found_problems(google_cloud)
    assert problem.subject == "BigQuery in trips-123"
    assert "roles/bigquery.jobUser" in problem.advice


def test_each_run_checks_once(google: GoogleServer, google_cloud: Cloud) -> None:
    preflight(replace(google_cloud, run="1"))
    asked = len(google.requests)
    preflight(replace(google_cloud, run="1"))
    assert len(google.requests) == asked
    preflight(replace(google_cloud, run="2"))
    assert len(google.requests) == 2 * asked

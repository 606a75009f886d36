"""Making bucket and dataset, and checking them before a run: what is asked of Google, and what each refusal says."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.setup import SetUp, preflight, problems, same_location, set_up
from taxi_platform.errors import CloudNotReady, CloudRefused, TaxiError
from taxi_platform_tests.support.google_server import Answer, GoogleServer

MAKING = ("POST /storage/v1/b", "POST /bigquery/v2/projects/trips-123/datasets")
GETTING = ("GET /storage/v1/b/trips-123-lake", "GET /bigquery/v2/projects/trips-123/datasets/zoomcamp")


def made(google: GoogleServer) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in google.requests if asked.method != "GET"]


def standing_in_the_way(google_cloud: Cloud) -> list[TaxiError]:
    return list(problems(google_cloud))


# Making


def test_bucket_and_dataset_are_made_where_they_are_missing(
    nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    done = set_up(google_cloud)
    assert done == SetUp("gs://trips-123-lake", "trips-123.zoomcamp", "EU", made_bucket=True, made_dataset=True)
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
    assert standing_in_the_way(google_cloud) == []


def test_a_second_time_nothing_is_made(nothing: GoogleServer, google_cloud: Cloud) -> None:
    set_up(google_cloud)
    before = made(nothing)
    assert set_up(google_cloud) == SetUp("gs://trips-123-lake", "trips-123.zoomcamp", "EU", False, False)
    assert made(nothing) == before


def test_what_is_there_stays_as_it_is(nothing: GoogleServer, google_cloud: Cloud) -> None:
    nothing.add_bucket("trips-123-lake", "eu")
    nothing.buckets["trips-123-lake"]["labels"] = {"whose": "mine"}
    done = set_up(google_cloud)
    assert (done.made_bucket, done.made_dataset) == (False, True)
    assert nothing.buckets["trips-123-lake"]["labels"] == {"whose": "mine"}


def test_two_at_once_make_each_of_them_once(nothing: GoogleServer, google_cloud: Cloud) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: set_up(replace(google_cloud)), range(4)))
    assert sum(one.made_bucket for one in done) == sum(one.made_dataset for one in done) == 1


def test_another_run_that_is_quicker_is_no_failure(
    nothing: GoogleServer, google_cloud: Cloud, logged: pytest.LogCaptureFixture
) -> None:
    nothing.script(MAKING[0], Answer(before=lambda: nothing.add_bucket("trips-123-lake")))
    nothing.script(MAKING[1], Answer(before=lambda: nothing.add_dataset("zoomcamp")))
    done = set_up(google_cloud)
    assert (done.made_bucket, done.made_dataset) == (False, False)
    assert logged.messages == [
        "bucket trips-123-lake: another run has created it at the same time",
        "dataset zoomcamp: another run has created it at the same time",
    ]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "fault", [Answer(503), Answer(429), Answer(cut=True), Answer(lost=True)], ids=["503", "429", "cut", "lost"]
)
def test_a_request_that_breaks_off_is_made_again(
    which: int, fault: Answer, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.script(MAKING[which], fault)
    set_up(google_cloud)
    assert (list(nothing.buckets), list(nothing.datasets)) == (["trips-123-lake"], ["zoomcamp"])


# What is refused


@pytest.mark.parametrize("lies_in", ["US", "EUROPE-WEST2"])
def test_a_bucket_that_lies_elsewhere_is_refused_before_anything_is_made(
    lies_in: str, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.add_bucket("trips-123-lake", lies_in)
    with pytest.raises(CloudNotReady) as caught:
        set_up(google_cloud)
    assert str(caught.value) == (
        f"bucket trips-123-lake: it is in {lies_in}, and GCP_LOCATION is EU; BigQuery loads only from its "
        f"own location. Set GCP_LOCATION={lies_in}, or GCP_BUCKET_NAME to a new name: neither can be moved."
    )
    assert made(nothing) == []


def test_a_dataset_that_lies_elsewhere_is_refused(nothing: GoogleServer, google_cloud: Cloud) -> None:
    nothing.add_dataset("zoomcamp", "US")
    with pytest.raises(CloudNotReady, match=r"^dataset zoomcamp: it is in US, and GCP_LOCATION is EU; .* GCP_DATASET"):
        set_up(google_cloud)
    (problem,) = [str(one) for one in standing_in_the_way(google_cloud) if "dataset" in one.subject]
    assert "it is in US" in problem


@pytest.mark.parametrize("seen_at", ["once", "when it is made"])
def test_a_name_that_is_somebody_elses_is_said_to_be(seen_at: str, nothing: GoogleServer, google_cloud: Cloud) -> None:
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
    ("which", "said", "role"),
    [
        (MAKING[0], "robot does not have storage.buckets.create access to the project.", "roles/storage.admin"),
        (MAKING[1], "Access Denied: User does not have bigquery.datasets.create permission.", "roles/bigquery.user"),
        (GETTING[1], "Permission bigquery.datasets.get denied on dataset zoomcamp.", "roles/bigquery.dataEditor"),
    ],
)
def test_the_role_that_is_missing_is_named(
    which: str, said: str, role: str, nothing: GoogleServer, google_cloud: Cloud
) -> None:
    nothing.script(which, Answer(403, said, "forbidden"))
    with pytest.raises(CloudRefused) as caught:
        set_up(google_cloud)
    assert caught.value.advice == f"Have the account granted {role}; see docs/cloud.md."
    assert not caught.value.transient


def test_a_project_that_is_not_there_is_named(nothing: GoogleServer, google_cloud: Cloud) -> None:
    elsewhere = replace(google_cloud, project="trips-124")
    with pytest.raises(CloudNotReady, match="there is no such project: Unknown project id: trips-124"):
        set_up(elsewhere)
    nothing.add_bucket("trips-123-lake")
    with pytest.raises(CloudNotReady, match="there is no such project: Not found: Project trips-124"):
        set_up(elsewhere)


# Before a run


def test_when_all_is_well_nothing_stands_in_the_way(google: GoogleServer, google_cloud: Cloud) -> None:
    assert standing_in_the_way(google_cloud) == []
    assert made(google) == ["POST /bigquery/v2/projects/trips-123/jobs"]
    (job,) = google.asked("POST /bigquery/v2/projects/trips-123/jobs")
    assert job.json["configuration"]["dryRun"] is True


def test_what_is_absent_is_named_with_the_job_that_makes_it(nothing: GoogleServer, google_cloud: Cloud) -> None:
    assert [str(problem) for problem in standing_in_the_way(google_cloud)] == [
        f"{what}. The job gcp_setup makes it: `dagster job execute -j gcp_setup`."
        for what in (
            "bucket trips-123-lake: there is no such bucket",
            "dataset zoomcamp: there is no such dataset",
        )
    ]


def test_every_problem_is_told_not_just_the_first(nothing: GoogleServer, google_cloud: Cloud) -> None:
    nothing.strangers.add("trips-123-lake")
    nothing.add_dataset("zoomcamp", "US")
    assert [problem.subject for problem in standing_in_the_way(google_cloud)] == [
        "bucket trips-123-lake",
        "dataset zoomcamp",
    ]


def test_what_the_account_may_not_do_with_objects_is_seen_before_the_first_upload(
    google: GoogleServer, google_cloud: Cloud
) -> None:
    google.granted -= {"storage.objects.create", "storage.objects.delete"}
    (problem,) = standing_in_the_way(google_cloud)
    assert str(problem) == (
        "bucket trips-123-lake: the account lacks storage.objects.create, storage.objects.delete there. "
        "Have the account granted roles/storage.objectUser; see docs/cloud.md."
    )


def test_an_account_that_may_run_no_jobs_is_seen_before_the_first_upload(
    google: GoogleServer, google_cloud: Cloud
) -> None:
    said = "Access Denied: Project trips-123: User does not have bigquery.jobs.create permission in project trips-123."
    google.script("POST /bigquery/v2/projects/trips-123/jobs", Answer(403, said, "accessDenied"))
    (problem,) = standing_in_the_way(google_cloud)
    assert problem.subject == "BigQuery in trips-123"
    assert "roles/bigquery.jobUser" in problem.advice


def test_a_run_asks_once_and_the_next_one_again(google: GoogleServer, google_cloud: Cloud) -> None:
    preflight(google_cloud, "run 1")
    asked = len(google.requests)
    preflight(replace(google_cloud), "run 1")
    assert len(google.requests) == asked
    preflight(google_cloud, "run 2")
    assert len(google.requests) == 2 * asked


def test_a_run_that_was_refused_asks_again(nothing: GoogleServer, google_cloud: Cloud) -> None:
    for _ in range(2):
        with pytest.raises(CloudNotReady, match="there is no such bucket"):
            preflight(google_cloud, "run")
    set_up(google_cloud)
    preflight(google_cloud, "run")


@pytest.mark.parametrize(("one", "other"), [("EU", "eu"), ("EUROPE-WEST2", "europe-west2"), ("US", "US")])
def test_the_same_place_in_another_spelling(one: str, other: str) -> None:
    assert same_location(one, other)


@pytest.mark.parametrize(("one", "other"), [("EU", "europe-west2"), ("US", "us-east1"), ("us-east1", "us-east4")])
def test_a_region_is_neither_its_multi_region_nor_its_neighbour(one: str, other: str) -> None:
    assert not same_location(one, other)

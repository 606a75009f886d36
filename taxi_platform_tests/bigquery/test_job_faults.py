"""Loads with the official clients while BigQuery is busy, refuses, ends jobs early or loses its answers."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.cloud.bigquery import SchemaField

from taxi_platform.bigquery import tables
from taxi_platform.bigquery.frames import WarehouseReference, read_pandas, write_zones
from taxi_platform.bigquery.tables import Tables
from taxi_platform.checks.warehouses import _in_bigquery  # pyright: ignore[reportPrivateUsage]
from taxi_platform.errors import CloudRefused, CloudUnavailable, TaxiError
from taxi_platform.retries import JOB
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.google_server import Answer
from taxi_platform_tests.support.job_server import JobServer, ended, ended_with, is_job
from taxi_platform_tests.support.trip_texts import MARCH, rows
from taxi_platform_tests.support.warehouse_loads import HURRIED, WarehouseLoads

COUNT = "select count(*), count(distinct unique_row_id) from `{}.green_tripdata`"
JOBS = ("dry run", "look", "load", "replace")


def broken(reason: str, message: str, **more: Any) -> Answer:
    return Answer(ended=ended_with(reason, message, **more))


# Requests


def test_a_month_is_one_load_job_and_one_query_into_its_partition_each_with_its_own_id(
    front: JobServer, behind: WarehouseLoads
) -> None:
    loaded = behind.load(rows(GREEN, 20))
    (load,), (change,) = front.asked("load"), front.asked("replace")
    assert [spent.job for spent in loaded.jobs.values()] == front.ids("load") + front.ids("replace")
    config = load.json["configuration"]["load"]
    assert {key: config[key] for key in ("sourceUris", "maxBadRecords", "autodetect", "createDisposition")} == {
        "sourceUris": [f"gs://{behind.cloud.bucket}/raw/green/green_tripdata_2019-03.csv.gz"],
        "maxBadRecords": 0,
        "autodetect": False,
        "createDisposition": "CREATE_NEVER",
    }
    labels = {"app": "taxi_platform", "service": "green", "month": "2019-03", "run": "test"}
    assert load.json["configuration"]["labels"] == change.json["configuration"]["labels"] == labels
    fields = [(field["name"], field["type"]) for field in config["schema"]["fields"]]
    assert fields == [(column.name, "STRING") for column in GREEN.first_columns]
    query = change.json["configuration"]["query"]
    assert query["query"].startswith("SELECT\n")
    assert {key: query[key] for key in ("destinationTable", "writeDisposition", "createDisposition")} == {
        "destinationTable": {
            "projectId": behind.cloud.project,
            "datasetId": behind.cloud.dataset,
            "tableId": "green_tripdata$201903",
        },
        "writeDisposition": "WRITE_TRUNCATE",
        "createDisposition": "CREATE_NEVER",
    }


def test_every_query_is_estimated_first_and_has_a_limit_of_bytes_billed(
    front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    behind.load(rows(GREEN, 5))
    asked = [front.name_of(one) for one in front.requests if front.name_of(one) in JOBS]
    assert asked == ["dry run", "look", "load", "dry run", "replace"]
    queries = [*front.asked("look"), *front.asked("replace")]
    assert {one.json["configuration"]["query"]["maximumBytesBilled"] for one in queries} == {str(10 * 2**30)}
    assert sum("will read at most 0 bytes" in line for line in logged.messages) == 2


def test_every_job_has_its_limit_and_the_labels_of_its_run(front: JobServer, behind: WarehouseLoads) -> None:
    cloud = behind.cloud
    fields = [field for field in tables.trip_fields(GREEN) if field.name != "congestion_surcharge"]
    Tables(cloud).ensure(tables.table_of(cloud, GREEN), fields, tables.clustering(GREEN), "an older contract's")
    behind.load([*rows(GREEN, 5), "no trip"], max_bad_rows=1)
    behind.load(rows(GREEN, 6))
    write_zones(cloud, [(1, "a", "b", "c")])
    read_pandas(cloud, WarehouseReference(tables.table_of(cloud, GREEN), (), [MARCH]))
    assert _in_bigquery(cloud, GREEN, MARCH)
    steps = {front.name_of(asked) for asked in front.requests if is_job(asked)}
    assert steps == {"dry run", "add_columns", "look", "load", "load_rejects", "replace", "clear_rejects"} | {
        "compare",
        "read",
    }
    assert front.unlimited() == []
    months = {asked.json["configuration"]["labels"].get("month") for asked in front.asked("replace")}
    assert months == {"2019-03", None}  # the zones have no month


def test_a_statement_by_the_bare_client_has_a_limit_too(front: JobServer, behind: WarehouseLoads) -> None:
    behind.ask("select 1")
    (asked,) = [one.json for one in front.requests if one.path.endswith("/queries")]
    assert (asked["maximumBytesBilled"], asked["labels"]) == (str(10 * 2**30), behind.cloud.labels)


@pytest.mark.parametrize("required", [True, False])
def test_a_filter_by_month_is_required_where_the_setting_asks_for_it(
    required: bool, front: JobServer, behind: WarehouseLoads
) -> None:
    behind.cloud = replace(behind.cloud, require_partition_filter=required)
    behind.load([*rows(GREEN, 5), "no trip"], max_bad_rows=1)
    made = {
        asked.json["tableReference"]["tableId"]: asked.json for asked in front.asked("POST") if b"timeP" in asked.body
    }
    assert {name: one.get("requirePartitionFilter") for name, one in made.items()} == {
        "green_tripdata": True if required else None,
        "green_tripdata_rejects": None,
    }


def test_a_staging_table_expires_automatically_and_every_attempt_has_another_name(
    front: JobServer, behind: WarehouseLoads
) -> None:
    file = behind.upload(rows(GREEN, 5))
    for _ in range(2):
        behind.load_file(file, force=True)
    made = [asked.json for asked in front.asked("POST") if asked.path.endswith("/tables")]
    staging = [one for one in made if "_staging_" in one["tableReference"]["tableId"]]
    assert len({one["tableReference"]["tableId"] for one in staging}) == len(staging) == 2
    for one in staging:
        expires = datetime.fromtimestamp(int(one["expirationTime"]) / 1000, timezone.utc)
        assert timedelta(hours=23) < expires - datetime.now(timezone.utc) <= timedelta(hours=24)
    assert behind.staging() == set()


# Faults that a load survives


@pytest.mark.parametrize(
    "fault",
    [Answer(503), Answer(403, reason="rateLimitExceeded")],
    ids=lambda fault: str(fault.status),
)
def test_a_job_is_sent_again_under_the_same_id_while_bigquery_is_busy(
    fault: Answer, front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    for name in (*JOBS, "GET /bigquery/v2/projects/", "POST /bigquery/v2/projects/"):
        front.script(name, fault, fault)
    assert behind.load(rows(GREEN, 20)).rows == 20
    assert behind.ask(COUNT) == [(20, 20)]
    for step in ("load", "replace"):
        assert len(front.ids(step)) == 3
        assert len(set(front.ids(step))) == 1
    assert any(f"Google answers {fault.status}: made for this test; trying again" in line for line in logged.messages)


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(lost=True)], ids=["cut", "lost"])
def test_a_job_whose_answer_is_lost_runs_once(
    fault: Answer, front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    for step in JOBS:
        front.script(step, fault)
    assert behind.load(rows(GREEN, 20)).rows == 20
    assert behind.ask(COUNT) == [(20, 20)]
    for step in ("load", "replace"):
        first, second = front.ids(step)
        assert first == second
    adopted = [line for line in logged.messages if "has been started already; waiting for that one" in line]
    assert len(adopted) == (3 if fault.lost else 0)


def test_a_job_is_polled_until_it_has_ended(front: JobServer, behind: WarehouseLoads) -> None:
    for step in ("look", "load", "replace"):
        front.script(step, Answer(looks=2))
    front.script("GET /bigquery/v2/projects/", Answer(503), Answer(cut=True))
    assert behind.load(rows(GREEN, 20)).rows == 20
    assert behind.ask(COUNT) == [(20, 20)]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("rateLimitExceeded", "Exceeded rate limits: too many table update operations for this table."),
        ("invalidQuery", "Could not serialize access to table green_tripdata due to concurrent update"),
    ],
)
def test_a_job_that_bigquery_ends_early_is_started_again_under_the_next_number(
    reason: str, message: str, front: JobServer, behind: WarehouseLoads
) -> None:
    steps = ("replace",) if reason == "invalidQuery" else ("load", "replace")
    for step in steps:
        front.script(step, broken(reason, message), broken(reason, message))
    assert behind.load(rows(GREEN, 20)).rows == 20
    assert behind.ask(COUNT) == [(20, 20)]
    for step in steps:
        assert [job_id.rpartition("_")[2] for job_id in front.ids(step)] == ["1", "2", "3"]
        assert len({job_id.rpartition("_")[0] for job_id in front.ids(step)}) == 1


def test_a_table_that_another_run_changes_meanwhile_is_read_again_before_it_is_changed(
    front: JobServer, behind: WarehouseLoads
) -> None:
    behind.load(rows(GREEN, 3))
    bigquery: Any = behind.cloud.bigquery
    name = f"{behind.cloud.dataset}.green_tripdata"
    table = bigquery.get_table(name)
    table.schema = [SchemaField(field.name, field.field_type, description="?") for field in table.schema]
    bigquery.update_table(table, ["schema"])
    front.requests.clear()
    change = "PATCH /bigquery/v2/projects/"
    front.script(change, Answer(412, reason="conditionNotMet"))
    behind.load()
    assert len(front.asked(change)) == 2
    assert "?" not in {field.description for field in bigquery.get_table(name).schema}


# Faults that are reported


def test_a_load_gives_up_if_bigquery_stays_busy_and_changes_nothing(front: JobServer, behind: WarehouseLoads) -> None:
    behind.load(rows(GREEN, 5))
    before = behind.state()
    file = behind.upload(rows(GREEN, 6))
    behind.cloud = replace(behind.cloud, retries=replace(HURRIED, total=0.2))
    front.script("replace", *[Answer(503)] * 1000)
    with pytest.raises(CloudUnavailable, match="Google answers 503") as caught:
        behind.load_file(file)
    front.forgive()
    behind.cloud = replace(behind.cloud, retries=HURRIED)
    assert caught.value.transient
    assert behind.state() == before
    assert behind.staging() == set()
    assert behind.load_file(file).rows == 6
    assert behind.ask(COUNT) == [(6, 6)]


def test_a_job_that_is_always_ended_early_is_given_up(front: JobServer, behind: WarehouseLoads) -> None:
    front.script("replace", *[broken("jobInternalError", "oops")] * 50)
    with pytest.raises(CloudUnavailable, match=r"BigQuery has ended job .* early: oops") as caught:
        behind.load(rows(GREEN, 5))
    assert caught.value.transient
    assert len(front.ids("replace")) == JOB.attempts
    assert behind.state() == {"green_tripdata": []}


@pytest.mark.parametrize(
    ("fault", "kind", "what", "advice"),
    [
        (
            broken("accessDenied", "Access Denied: Permission bigquery.tables.updateData denied on table."),
            CloudRefused,
            "the account may not do this",
            "roles/bigquery.dataEditor",
        ),
        (
            broken("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 10737418240."),
            CloudRefused,
            "BigQuery would bill more than it may: Query exceeded limit",
            "fewer months",
        ),
    ],
    ids=["role of the job", "bytes billed"],
)
def test_a_load_that_bigquery_refuses_says_what_to_do_and_changes_nothing(
    fault: Answer,
    kind: type[TaxiError],
    what: str,
    advice: str,
    front: JobServer,
    behind: WarehouseLoads,
) -> None:
    file = behind.upload(rows(GREEN, 6))
    front.script("replace", fault)
    with pytest.raises(kind) as caught:
        behind.load_file(file)
    assert what in caught.value.what
    assert advice in caught.value.advice
    assert not caught.value.transient
    assert len(front.ids("replace")) == 1
    assert behind.state() == {"green_tripdata": []}
    assert behind.staging() == set()


def test_a_role_that_is_missing_for_tables_is_named(front: JobServer, behind: WarehouseLoads) -> None:
    message = "Access Denied: Dataset trips: Permission bigquery.tables.create denied on dataset (or it may not exist)."
    front.script("POST /bigquery/v2/projects/", Answer(403, message, "accessDenied"))
    with pytest.raises(CloudRefused, match=r"granted roles/bigquery\.dataEditor"):
        behind.load(rows(GREEN, 5))


def test_the_error_of_a_load_job_names_file_and_line(
    front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    place = "gs://trips/staging/green/prepared.csv.gz"
    line = "Error while reading data, error message: CSV table references column position 19; line_number: 7"
    summary = "CSV processing encountered too many errors, giving up. Rows: 7; errors: 1"
    errors = [{"reason": "invalid", "location": place, "message": message} for message in (summary, line)]
    front.script("load", *[broken("invalid", summary, location=place, errors=errors)] * 2)
    with pytest.raises(CloudRefused) as caught:
        behind.load(rows(GREEN, 7))
    assert caught.value.subject == "green_tripdata_2019-03.csv"
    assert caught.value.what == f"BigQuery refuses it: {summary} ({place}); {line} ({place})"
    assert any("loading its canonical CSV (BigQuery refuses it: CSV processing" in text for text in logged.messages)
    assert behind.state() == {"green_tripdata": []}
    assert behind.staging() == set()


def test_a_month_of_which_bigquery_reads_fewer_rows_is_not_loaded(
    front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    file = behind.upload(rows(GREEN, 6))
    front.script("load", *[Answer(ended=ended(outputRows="5"))] * 2)
    with pytest.raises(TaxiError, match="BigQuery reads 5 rows where 6 were written"):
        behind.load_file(file)
    assert any("BigQuery reads 5 rows where the file has 6" in line for line in logged.messages)
    assert behind.state() == {"green_tripdata": []}


def test_a_staging_table_that_cannot_be_removed_is_left_to_expire(
    front: JobServer, behind: WarehouseLoads, logged: pytest.LogCaptureFixture
) -> None:
    front.script("DELETE", *[Answer(503)] * 100)
    assert behind.load(rows(GREEN, 5)).rows == 5
    assert any("cannot be removed and will expire" in line for line in logged.messages)
    assert len(behind.staging()) == 1

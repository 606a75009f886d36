"""``taxi backfill --to bigquery`` and what ``taxi status`` shows of BigQuery, on the emulators."""

import json
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from taxi_platform.cli.backfill import DONE, NOT_DONE
from taxi_platform.cli.main import taxi
from taxi_platform.errors import CloudNotConfigured
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import rows
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

LAKE, TABLE = "gcs/green_tripdata", "bigquery/green_tripdata"
QUARTER = "2019-01..2019-03"


@pytest.fixture
def platform_in_cloud(loads: WarehouseLoads, published: Published, backfills: Backfills) -> Backfills:
    """Set up the emulators and a source with the first months of 2019: 10, 20 and 30 green trips."""
    for month in Month(2019, 1).through(Month(2019, 3)):
        published.publish(rows(GREEN, 10 * month.month), month=month)
    cloud = loads.cloud
    backfills.use(
        TAXI_SOURCE=str(published.folder),
        TAXI_LAST_MONTH="2019-04",
        GCP_PROJECT_ID=cloud.project,
        GCP_LOCATION=cloud.location,
        GCP_BUCKET_NAME=cloud.bucket,
        GCP_DATASET=cloud.dataset,
        STORAGE_EMULATOR_HOST=cloud.storage_host,
        BIGQUERY_EMULATOR_HOST=cloud.bigquery_host,
    )
    return backfills


def shown(*options: str) -> str:
    done = CliRunner().invoke(taxi, ["status", *options], terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.stdout


def states(*options: str) -> dict[str, tuple[str, int]]:
    """Return the state and the row count of each green month in BigQuery."""
    months: dict[str, Any] = json.loads(shown("--json", *options))["bigquery"]["green"]["months"]
    return {name: (month["state"], month["rows"]) for name, month in months.items()}


def test_a_backfill_uploads_and_loads_what_bigquery_lacks_and_a_bad_month_does_not_stop_the_others(
    platform_in_cloud: Backfills, loads: WarehouseLoads
) -> None:
    assert platform_in_cloud.run("green_tripdata", month="2019-01").succeeded
    status, output = platform_in_cloud.backfill("green", "..2019-04", destination="bigquery")
    assert status == NOT_DONE
    assert [line.split() for line in output[:4]] == [["green", f"2019-0{month}", "missing"] for month in (1, 2, 3, 4)]
    assert "4 months: 3 loaded (60 rows), 1 failed" in output
    assert platform_in_cloud.recorded(TABLE) == platform_in_cloud.recorded(LAKE) == {"2019-01", "2019-02", "2019-03"}
    assert platform_in_cloud.recorded("green_tripdata") == {"2019-01"}
    assert loads.one("select count(*) from `{}.green_tripdata`") == 60
    again, output = platform_in_cloud.backfill("green", QUARTER, destination="bigquery")
    assert (again, output) == (DONE, [f"green {QUARTER}: 0 months to load; left out: 3 loaded already"])


def test_a_file_that_changed_at_its_source_is_uploaded_and_loaded_again(
    platform_in_cloud: Backfills, loads: WarehouseLoads, published: Published
) -> None:
    platform_in_cloud.backfill("green", "2019-01..2019-02", destination="bigquery")
    published.publish(rows(GREEN, 15), month=Month(2019, 1))
    status, output = platform_in_cloud.backfill("green", "2019-01..2019-02", destination="bigquery")
    assert status == DONE
    assert output[0].split(maxsplit=3)[2:] == ["file", "changed  the source has another version"]
    assert loads.one("select count(*) from `{}.green_tripdata`") == 35


def test_the_status_shows_dagsters_records_and_with_cloud_what_bigquery_holds(
    platform_in_cloud: Backfills, loads: WarehouseLoads
) -> None:
    platform_in_cloud.backfill("green", QUARTER, destination="bigquery")
    in_place = {"2019-01": ("materialized", 10), "2019-02": ("materialized", 20), "2019-03": ("materialized", 30)}
    assert states() == states("--cloud") == {**in_place, "2019-04": ("missing", 0)}
    loads.ask("delete from `{}.green_tripdata` where file_month = '2019-02-01'")
    loads.ask("delete from `{}.green_tripdata` where file_month = '2019-03-01' and payment_type = 1")
    assert states() == {**in_place, "2019-04": ("missing", 0)}
    assert states("--cloud")["2019-02"] == ("missing", 0)
    output = shown("--cloud")
    assert "\nBigQuery\n" in output
    assert "green 2019-02 missing: recorded, but not in the table any more" in output
    assert "green 2019-03 changed by hand" in output


def test_the_status_adds_up_what_all_loads_of_a_month_were_billed(platform_in_cloud: Backfills) -> None:
    for month, billed in (("2019-01", 2**30), ("2019-02", 2**31), ("2019-02", 2**30)):
        metadata = {"bytes_billed": billed, "rows_loaded": 1}
        made = dg.AssetMaterialization(dg.AssetKey(["bigquery", "green_tripdata"]), partition=month, metadata=metadata)
        platform_in_cloud.instance.report_runless_asset_event(made)
    assert [line.split() for line in shown("--cloud").splitlines() if "billed" in line] == [
        ["green", "2019-01", "1,024.0", "MiB", "billed", "$0.0061"],
        ["green", "2019-02", "3,072.0", "MiB", "billed", "$0.0183"],
        ["all", "recorded", "loads", "4,096.0", "MiB", "billed", "$0.0244"],
    ]
    assert json.loads(shown("--json", "--cloud"))["bigquery"]["green"]["bytes_billed"] == {
        "2019-01": 2**30,
        "2019-02": 3 * 2**30,
    }


def test_without_settings_bigquery_is_not_shown_and_a_backfill_to_it_says_what_to_set(backfills: Backfills) -> None:
    backfills.use(TAXI_SOURCE="sample:0.0001")
    assert "BigQuery" not in shown()
    with pytest.raises(CloudNotConfigured, match="GCP_PROJECT_ID"):
        backfills.backfill("green", QUARTER, destination="bigquery")
    done = CliRunner().invoke(taxi, ["status", "--cloud"])
    assert (done.exit_code, "GCP_PROJECT_ID" in done.output) == (1, True)

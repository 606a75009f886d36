"""``taxi metrics``: the numbers that it prints and serves, and the dashboard that shows them."""

import json
import re
import urllib.request

import pytest
from click.testing import CliRunner

from taxi_platform.cli.main import taxi
from taxi_platform.ledger import events
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.backfills import Backfills

pytest.importorskip("prometheus_client")
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from taxi_platform.cli.metrics import Metrics, serve

Values = dict[str, dict[tuple[str, ...], float]]
DASHBOARD = json.loads((PROJECT / "deploy/grafana/taxi_platform.json").read_text("utf-8"))
CLOUD = {"GCP_PROJECT_ID": "p-123456", "GCP_LOCATION": "US", "GCP_BUCKET_NAME": "b-123456", "GCP_DATASET": "zoomcamp"}


def parsed(text: str) -> Values:
    """Return the values of each metric by the values of its labels, which are ordered by name."""
    families = text_string_to_metric_families(text)
    return {one.name: {tuple(each.labels.values()): each.value for each in one.samples} for one in families}


def printed() -> Values:
    done = CliRunner().invoke(taxi, ["metrics"])
    assert done.exit_code == 0, done.output
    return parsed(done.stdout)


def test_the_numbers_are_those_of_the_tables_and_of_the_runs(
    backfills: Backfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 1)  # as with more than 10,000 months
    backfills.use(TAXI_FIRST_MONTH="2019-01", TAXI_LAST_MONTH="2019-04")
    backfills.run("green_tripdata", months="2019-01...2019-02")
    ((rows, size),) = backfills.rows("select sum(rows_loaded)::int, sum(file_bytes)::int from tripdata_files")
    found = printed()
    green = ("postgres", "green")
    assert found["taxi_months"][(*green, "materialized")] == 2
    assert found["taxi_months"][(*green, "missing")] == 2
    assert found["taxi_months"][("postgres", "yellow", "missing")] == 4
    assert found["taxi_months_overdue"][green] == 2
    assert (found["taxi_rows"][green], found["taxi_file_bytes"][green]) == (rows, size)
    assert 0 < found["taxi_load_seconds"][green] < 60
    assert found["taxi_load_rows"][green] == rows
    assert found["taxi_last_success_timestamp_seconds"][green] > 1_700_000_000
    assert found["taxi_last_success_timestamp_seconds"]["postgres", "yellow"] == 0
    assert found["taxi_runs"] == {("queued",): 0, ("starting",): 0, ("started",): 0}
    assert found["taxi_daemon_alive"] == {(): 0}
    assert "taxi_bigquery_billed_bytes" not in found
    backfills.run("green_tripdata", months="2019-01...2019-02")  # finds both months unchanged
    again = printed()
    assert again["taxi_rows"][green] == rows
    assert again["taxi_load_rows"][green] == again["taxi_load_seconds"][green] == 0


def test_the_dashboard_and_the_docs_name_metrics_and_labels_that_exist(
    backfills: Backfills,
) -> None:
    backfills.use(**CLOUD)
    exported = CliRunner().invoke(taxi, ["metrics"]).stdout
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    pages = [(PROJECT / "docs" / page).read_text("utf-8") for page in ("operations.md", "runbook.md")]
    shown = {name for text in [*queries, *pages] for name in re.findall(r"\btaxi_\w+", text)} - {"taxi_platform"}
    assert shown == parsed(exported).keys()
    labels = {
        label for query in queries for label in re.findall(r"(\w+)=|by \((\w+)\)", query) for label in label if label
    }
    assert labels <= set(re.findall(r'[{,](\w+)="', exported))
    assert ("bigquery", "green", "missing") in parsed(exported)["taxi_months"]


def test_prometheus_gets_the_metrics_at_the_address(backfills: Backfills) -> None:
    registry = CollectorRegistry()
    registry.register(Metrics(backfills.instance))
    server, thread = serve(registry, "127.0.0.1:0")
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
        assert "taxi_daemon_alive 0.0" in answer.read().decode()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("address", ["9464x", "nowhere.invalid:9464", "127.0.0.1:99999"])
def test_an_invalid_address_is_refused(backfills: Backfills, address: str) -> None:
    done = CliRunner().invoke(taxi, ["metrics", "--listen", address])
    assert (done.exit_code, "Write HOST:PORT" in done.output) == (2, True)

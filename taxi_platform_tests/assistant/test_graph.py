"""The asset graph as passages: what is told of an asset, a job, a schedule and a sensor."""

import dagster as dg

from taxi_platform.assistant.knowledge import graph_passages


@dg.asset(key_prefix="raw")
def trips() -> None:
    """Files as published."""


@dg.asset(deps=[trips], partitions_def=dg.StaticPartitionsDefinition(["a", "b"]), kinds={"table"})
def table() -> None:
    """One row a trip."""


@dg.asset_check(asset=table)
def is_whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


nightly = dg.define_asset_job("nightly", [table], description="Loads them.")
defs = dg.Definitions(
    [trips, table], asset_checks=[is_whole], jobs=[nightly],
    schedules=[dg.ScheduleDefinition(name="at_night", job=nightly, cron_schedule="0 3 * * *")],
)  # fmt: skip


def test_each_definition_is_a_passage_with_its_page_and_its_neighbours() -> None:
    passages = graph_passages(defs.get_repository_def(), "http://host:3000", {"table": "materialized last today"})
    told = {passage.title: passage for passage in passages}
    assert set(told) == {"Asset raw/trips", "Asset table", "Job nightly", "Schedule at_night"}
    assert told["Asset table"].link == "http://host:3000/assets/table"
    assert told["Asset table"].text.splitlines()[0] == "`table`: One row a trip."
    for line in ["Kinds: table", "Partitions: 2, a to b", "Made from: raw/trips", "Checks: is_whole", "Jobs: nightly"]:
        assert f"- {line}\n" in told["Asset table"].text
    assert "State: materialized last today" in told["Asset table"].text
    assert "- Used by: table" in told["Asset raw/trips"].text
    assert told["Job nightly"].text.endswith("Materializes table.")
    assert "`0 3 * * *` (UTC). It is off at first." in told["Schedule at_night"].text

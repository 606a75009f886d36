"""Logs as JSON: the lines of ``dagster.yaml`` that turn them on, and what a run then writes to standard output."""

import json
import logging

import dagster as dg
import pytest
import yaml

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.asset_runs import QUIET


@dg.op
def stumble(context: dg.OpExecutionContext) -> None:
    logging.getLogger("taxi_platform.sources").warning("2019-03 is %s", "late")
    try:
        raise KeyError("ehail_fee")
    except KeyError:
        context.log.exception("no such column")


@dg.job
def stumbling() -> None:
    stumble()


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_run_writes_one_json_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = (PROJECT / "dagster.yaml").read_text("utf-8")
    before, _, commented = text.partition("  # dagster_handler_config:\n")
    turned_on = yaml.safe_load(before + "  dagster_handler_config:\n" + commented.replace("  #  ", "   "))
    with dg.DagsterInstance.ephemeral(settings={"python_logs": turned_on["python_logs"]}) as instance:
        result = stumbling.execute_in_process(instance=instance, run_config={"loggers": QUIET})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["run_id"] for line in lines} == {result.run_id}
    assert [line["event"] for line in lines if "event" in line][-1] == "PIPELINE_SUCCESS"
    (late,) = [line for line in lines if line["message"] == "2019-03 is late"]
    assert (late["level"], late["step_key"], late["job_name"]) == ("WARNING", "stumble", "stumbling")
    (error,) = [line for line in lines if line["message"] == "no such column"]
    assert error["error"].endswith("KeyError: 'ehail_fee'")
    assert "T" in error["time"]

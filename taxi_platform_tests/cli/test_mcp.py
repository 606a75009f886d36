"""``taxi mcp``: its tools, as the SDK's own client uses them over standard input and output."""

import asyncio
import os
import time
from typing import Any

import pytest
from dagster._daemon.types import DaemonHeartbeat

from taxi_platform.errors import InvalidRequest
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.backfills import Backfills

TOOLS = {"status", "backfill_plan", "doctor", "search_docs", "query"}


def session(*options: str, calls: "list[tuple[str, dict[str, Any]]]") -> "tuple[set[str], list[Any]]":
    """Return the names of the tools of ``taxi mcp``, and the results of some calls."""
    mcp = pytest.importorskip("mcp")  # slow to import, and only needed here
    client, *arguments = warm.client_of("dagster")
    server = mcp.StdioServerParameters(command=client, args=[*arguments, "taxi", "mcp", *options], env=dict(os.environ))

    async def talk() -> "tuple[set[str], list[Any]]":
        async with mcp.Client(server) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(talk())


def test_each_tool_answers_and_nothing_is_changed(backfills: Backfills) -> None:
    """Call every tool of ``taxi mcp``: status, plan of a backfill, doctor, search of the docs, query."""
    backfills.use(TAXI_FIRST_MONTH="2019-01", TAXI_LAST_MONTH="2019-04")
    assert backfills.run("green_tripdata", months="2019-01...2019-02").succeeded
    rows = backfills.count("green_tripdata")
    names, (status, plan, doctor, docs, counted, refused, wrong) = session(
        calls=[
            ("status", {"services": "green"}),
            ("backfill_plan", {"services": "green", "months": "2019-01.."}),
            ("doctor", {}),
            ("search_docs", {"question": "What does NotPublished mean?"}),
            ("query", {"statement": "select count(*) as trips from green_tripdata"}),
            ("query", {"statement": "delete from green_tripdata"}),
            ("backfill_plan", {"services": "green", "months": "2019-13"}),
        ]
    )
    assert names == TOOLS
    months = {"materialized": "2019-01..2019-02", "missing": "2019-03..2019-04"}
    assert status.structured_content["green"] == {"rows": rows, "months": months}
    assert [each["month"] for each in plan.structured_content["planned"]] == ["2019-03", "2019-04"]
    assert "PostgreSQL" in {each["subject"] for each in doctor.structured_content["findings"]}
    assert any("NotPublished" in each["text"] for each in docs.structured_content["result"])
    assert counted.structured_content == {"columns": ["trips"], "rows": [[str(rows)]], "more_rows_exist": False}
    assert refused.is_error
    assert wrong.is_error
    assert "there is no month 2019-13" in wrong.content[0].text
    assert backfills.count("green_tripdata") == rows


def test_a_backfill_can_be_requested_only_where_that_is_allowed(backfills: Backfills) -> None:
    """Call the tool that ``--allow-runs`` adds, which leaves the loading to the daemon."""
    from taxi_platform.cli.mcp import backfill

    with pytest.raises(InvalidRequest, match="no daemon is running"):
        backfill("green", "2019-01")
    backfills.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() + 300, "BACKFILL", None, None))
    month = {"services": "green", "months": "2019-01"}
    names, (requested, plan) = session("--allow-runs", calls=[("backfill", month), ("backfill_plan", month)])
    assert names == {*TOOLS, "backfill"}
    (waiting,) = backfills.instance.get_backfills()
    assert requested.structured_content["backfills"] == [waiting.backfill_id]
    assert plan.structured_content["planned"] == []
    assert plan.structured_content["in_progress"] == [{"service": "green", "month": "2019-01"}]

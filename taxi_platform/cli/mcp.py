"""``taxi mcp``: the platform's read-only commands as tools of an MCP server, for assistants such as Claude or Gemini.

The server is the program of one client. Only ``--allow-runs`` adds a tool that starts something.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from taxi_platform.assistant.knowledge import documentation
from taxi_platform.assistant.retrieval import LexicalRetriever
from taxi_platform.assistant.sql import reader
from taxi_platform.cli.backfill import as_data, months_asked_for, read_plan
from taxi_platform.cli.doctor import report_data
from taxi_platform.definitions import defs
from taxi_platform.errors import InvalidRequest, TaxiError, missing_extras
from taxi_platform.ledger.events import daemon_is_alive
from taxi_platform.ledger.plan import Choice, parse_services
from taxi_platform.ledger.reading import read_months
from taxi_platform.operations.backfill import request_backfills
from taxi_platform.operations.doctor.diagnosis import diagnose
from taxi_platform.orchestration.storage import open_instance
from taxi_platform.postgres.server import trips_server
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets, settings
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.services import SERVICES

Data = dict[str, Any]
# The parameters of the tools, as clients see them.
Services = Annotated[str, Field(description='Names with commas between them, for example "green,yellow", or "all".')]
Span = Annotated[str, Field(description="2019-03, 2019-01..2019-12, or 2020-01.. for all from then on.")]
Chosen = Annotated[
    Choice, Field(description='"missing" for what is not in place, "failed" for months that failed, or "all".')
]
Passages = Annotated[int, Field(ge=1, le=20)]

_INSTRUCTIONS = f"""\
A data platform of NYC taxi trips. A service ({", ".join(SERVICES)}) has one partition per month, such as 2019-03,
and a month is loaded if its file's rows are in the table <service>_tripdata of PostgreSQL. Start with the tool status;
doctor says what is wrong with the installation, and search_docs how things work."""


def run_mcp(*, allow_runs: bool) -> None:
    """Serve the tools until the client closes standard input; the one that loads months only if runs are allowed."""
    server = MCPServer("taxi_platform", instructions=_INSTRUCTIONS, log_level="WARNING")
    for tool in (status, backfill_plan, doctor, search_docs, query):
        server.tool(annotations=ToolAnnotations(read_only_hint=True))(_with_clear_errors(tool))
    if allow_runs:
        server.tool(annotations=ToolAnnotations(destructive_hint=False))(_with_clear_errors(backfill))
    server.run()


def status(services: Services = "all") -> Data:
    """Return the state of every month: which are loaded, failed, changed, in progress or missing, and how many rows."""
    with open_instance() as instance:
        ledger = read_months(instance, parse_services(services))
        daemon = daemon_is_alive(instance)
    found: Data = {"daemon_is_alive": daemon, "remarks": list(ledger.remarks)}
    for service, records in ledger.shown().items():
        months: defaultdict[str, list[Month]] = defaultdict(list)
        for month, record in records.items():
            months[f"{record.state}: {record.note}" if record.note else record.state].append(month)
        rows = sum(record.rows for record in records.values())
        found[service] = {"rows": rows, "months": {state: spans(those) for state, those in months.items()}}
    return found


def backfill_plan(services: Services, months: Span, choice: Chosen = "missing") -> Data:
    """Return what a backfill would load, and why, without loading anything."""
    with open_instance() as instance:
        plan, _ = read_plan(instance, months_asked_for(services, months), choice)
        return dict(as_data(plan, ()))


def backfill(services: Services, months: Span, choice: Chosen = "missing") -> Data:
    """Let the daemon load months. Ask for the plan first. Afterwards, the tool status shows their progress."""
    with open_instance() as instance:
        if not daemon_is_alive(instance):
            raise InvalidRequest("backfill", "no daemon is running, which would load it", "Start it: taxi dev.")
        plan, _ = read_plan(instance, months_asked_for(services, months), choice)
        return {"backfills": request_backfills(instance, defs(), plan), **as_data(plan, ())}


def doctor() -> Data:
    """Check everything that the platform depends on, and say how to fix what is wrong. Changes nothing."""
    return report_data(diagnose())


def search_docs(question: str, passages: Passages = 5) -> Sequence[Mapping[str, str]]:
    """Return the passages of the platform's documentation that fit a question or some words best, with their places."""
    found = LexicalRetriever(documentation()).search(question, passages)
    return [{"title": each.passage.title, "link": each.passage.link, "text": each.passage.text} for each in found]


def query(statement: str) -> Data:
    """Run one SELECT without parameters on the trips in PostgreSQL and return its first hundred rows, as texts.

    It is run by a role that may only read, and ends after 30 seconds. information_schema.columns lists the tables and
    columns. A row belongs to the month of its file: filename = 'green_tripdata_2020-04.csv'.
    """
    url = trips_server(settings()).address_if_used()
    if url is None:
        raise InvalidRequest("query", "nothing was ever loaded here", "Load a month: taxi backfill green 2019-03.")
    with reader(url) as session:
        return session.run(statement).material


def _with_clear_errors(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Show the platform's own errors to the client, without secrets, and nothing of other errors."""

    @wraps(tool)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            with missing_extras():
                return tool(*arguments, **named)
        except TaxiError as error:
            raise ToolError(redact(str(error), list(secrets()))) from error

    return call

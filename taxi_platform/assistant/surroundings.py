"""Gathers what ``ask`` may answer from: the docs, the asset graph, the instance's records, the tables, the model.

What cannot be had is left out, with a remark that says why: a question about the docs needs no database.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from taxi_platform.assistant.ask import Data, Platform
from taxi_platform.assistant.documents import read_documents
from taxi_platform.assistant.graph import graph_passages
from taxi_platform.assistant.mentions import on_record
from taxi_platform.assistant.passages import passages_of
from taxi_platform.errors import TaxiError
from taxi_platform.settings import environment, settings
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    import dagster as dg

    from taxi_platform.assistant.model import LanguageModel

DOCUMENTS = ("README.md", "CHANGELOG.md", "docs")


def model() -> "LanguageModel | None":
    """The model of the settings, if there is a key for one."""
    from taxi_platform.assistant.gemini import Gemini

    chosen = settings()
    if chosen.gemini_api_key is None:
        return None
    return Gemini(chosen.gemini_api_key, chosen.chat_model, chosen.embedding_model)


def look_around(question: str) -> Platform:
    """The docs, the asset graph as it is defined now, and what the instance has on record."""
    from taxi_platform.definitions import defs

    repository = defs().get_repository_def()
    remarks: list[str] = []
    states: Mapping[str, str] = {}
    records: list[str] = []
    try:
        states, records = _records(question, repository, remarks)
    except TaxiError as error:
        remarks.append(f"Dagster's records cannot be had. {error}")
    return Platform(
        documents=[passage for document in read_documents(_documents()) for passage in passages_of(document)],
        graph=graph_passages(repository, settings().web_url, states),
        records=records,
        remarks=remarks,
    )


def _documents() -> list[str]:
    """The project's own pages; an image has the README alone."""
    from taxi_platform.settings import PROJECT

    return [name for name in DOCUMENTS if (PROJECT / name).exists()]


def _records(
    question: str, repository: "dg.RepositoryDefinition", remarks: list[str]
) -> tuple[Mapping[str, str], list[str]]:
    import dagster as dg

    from taxi_platform.ledger.reading import read_months
    from taxi_platform.ledger.states import states_of

    if not environment().get("DAGSTER_HOME"):
        remarks.append("DAGSTER_HOME is not set, so nothing is known of runs: . .venv/bin/activate sets it.")
        return {}, []
    with dg.DagsterInstance.get() as instance:
        ledger = read_months(instance, list(SERVICES.values()))
        remarks += ledger.remarks
        return _states(instance, repository), on_record(question, states_of(ledger.months))


def _states(instance: "dg.DagsterInstance", repository: "dg.RepositoryDefinition") -> dict[str, str]:
    """When each asset was materialized last, for those that were."""
    found: dict[str, str] = {}
    for record in instance.get_asset_records(list(repository.asset_graph.get_all_asset_keys())):
        last = record.asset_entry.last_materialization_record
        if last:
            at = datetime.fromtimestamp(last.timestamp, timezone.utc).isoformat(" ", "minutes")
            month = f", {last.partition_key}" if last.partition_key else ""
            found[record.asset_entry.asset_key.to_user_string()] = f"materialized last at {at}{month}"
    return found


@contextmanager
def data(remarks: list[str]) -> "Generator[Data | None]":
    """The tables of trips and models with somebody who reads them; none, and a remark, where they cannot be asked."""
    from taxi_platform.assistant.data.reader import reader
    from taxi_platform.assistant.data.rows import rows_of
    from taxi_platform.assistant.data.schema import schema_of

    with ExitStack() as stack:
        found: Data | None = None
        try:
            url = _database()
            if url:
                one = stack.enter_context(reader(url))
                remarks += [one.remark] if one.remark else []
                found = Data(schema_of(one), one.role, lambda statement: rows_of(one, statement))
        except TaxiError as error:
            remarks.append(f"The trips cannot be asked. {error}")
        yield found


def _database() -> str | None:
    from taxi_platform.postgres.embedded.server import EmbeddedServer

    own = settings().postgres_url
    if own:
        return own.get_secret_value()
    folder = settings().data_dir / "postgres"
    return EmbeddedServer(folder).start(lambda _: None) if folder.exists() else None

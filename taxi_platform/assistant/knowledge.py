"""The material for answers about the platform: its docs, its asset graph, and what is known of its months.

What cannot be read is left out and logged, because a question about the docs does not need a database.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import dagster as dg

from taxi_platform.assistant.documents import Passage, passages_of, read_documents
from taxi_platform.errors import TaxiError
from taxi_platform.ledger.events import last_materialized
from taxi_platform.ledger.reading import read_months
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.settings import FILES, settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

DOCUMENTS = ("README.md", "CHANGELOG.md", "docs")

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NUMBERED = re.compile(r"(?<!\d)((?:19|20)\d\d)-(0[1-9]|1[0-2])(?!\d)")
_NAMED = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\.? +((?:19|20)\d\d)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b(?!-\d)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Knowledge:
    """What is known of the platform."""

    documents: Sequence[Passage]
    graph: Sequence[Passage]  # titled "Asset <key>"
    records: Sequence[str] = ()  # a line for each month that the question names


def gather(question: str, repository: dg.RepositoryDefinition) -> Knowledge:
    """Read the docs, the asset graph of the definitions, and Dagster's records of what the question names."""
    materialized: Mapping[str, str] = {}
    records: list[str] = []
    try:
        with dg.DagsterInstance.get() as instance:
            ledger = read_months(instance, list(SERVICES.values()))
            materialized = last_materialized(instance, repository.asset_graph.get_all_asset_keys())
        for remark in ledger.remarks:
            logger.warning("%s", remark)
        records = on_record(question, ledger.shown())
    except TaxiError as error:
        logger.warning("Dagster's records cannot be read. %s", error)
    return Knowledge(documentation(), graph_passages(repository, settings().web_url, materialized), records)


def documentation() -> list[Passage]:
    """Return the passages of the docs that are installed here: an image has the README only."""
    documents = read_documents(name for name in DOCUMENTS if (FILES / name).exists())
    return [passage for document in documents for passage in passages_of(document)]


# What a question names


def services_in(question: str) -> list[str]:
    """Return the names of the services that a question names, by their names or other words."""
    text = question.lower().replace("-", " ")
    return [
        name
        for name, service in SERVICES.items()
        if re.search(rf"(?<![a-z])({'|'.join((name, *service.words))})(?![a-z])", text)
    ]


def months_in(question: str) -> list[Month]:
    """Return the months that a question names: ``2020-04``, ``April 2020``, and all twelve of a year alone."""
    months = {Month(int(year), int(month)) for year, month in _NUMBERED.findall(question)}
    months |= {Month(int(year), _MONTHS.index(name.lower()) + 1) for name, year in _NAMED.findall(question)}
    years = {int(year) for year in _YEAR.findall(_NAMED.sub("", question))}
    return sorted(months | {Month(year, month) for year in years for month in range(1, 13)})


def assets_in(question: str, keys: Iterable[str]) -> list[str]:
    """Return the assets that a question names: by their keys, or tables of trips by their services."""
    words = set(re.findall(r"[\w/]+", question.lower()))
    tables = {SERVICES[name].table for name in services_in(question)}
    return [key for key in keys if key.lower() in words or key in tables]


def without_months(question: str) -> str:
    """Return the question without its months, because documents say nothing about months."""
    for pattern in (_NUMBERED, _NAMED, _YEAR):
        question = pattern.sub(" ", question)
    return question


def on_record(question: str, ledger: Mapping[str, Mapping[Month, MonthRecord]]) -> list[str]:
    """Return a line for each month that the question names, or for each service if it names no month."""
    services, months = services_in(question), months_in(question)
    if not months:
        return [_total(name, list(ledger[name].values())) for name in services if name in ledger]
    return [_line(name, month, ledger[name]) for month in months for name in services or SERVICES if name in ledger]


def _line(service: str, month: Month, records: Mapping[Month, MonthRecord]) -> str:
    if month not in records:
        return f"{service} {month}: not a partition"
    record = records[month]
    note = f" ({record.note})" if record.note else ""
    rows = f", {record.rows:,} rows" if record.rows else ""
    return f"{service} {month}: {record.state}{note}{rows}"


def _total(service: str, records: Sequence[MonthRecord]) -> str:
    loaded = [record for record in records if record.rows]
    months = f", {loaded[0].month} to {loaded[-1].month}" if loaded else ""
    rows = sum(record.rows for record in loaded)
    return f"{service}: {rows:,} rows in {len(loaded)} of {len(records)} months{months}"


# The asset graph


def graph_passages(repository: dg.RepositoryDefinition, web_url: str, materialized: Mapping[str, str]) -> list[Passage]:
    """Return a passage for each asset, with its page in the web UI as the link.

    ``materialized`` tells when assets were last materialized, by their keys.
    """
    graph: Any = repository.asset_graph
    passages: list[Passage] = []
    for node in graph.asset_nodes:
        key = node.key.to_user_string()
        partitions: Sequence[str] = node.partitions_def.get_partition_keys() if node.partitions_def else ()
        lines = {
            "Partitions": f"{len(partitions)}, {partitions[0]} to {partitions[-1]}" if partitions else "",
            "Made from": _listed(parent.to_user_string() for parent in node.parent_keys),
            "Used by": _listed(child.to_user_string() for child in node.child_keys),
            "Checks": _listed(check.name for check in graph.get_check_keys_for_assets({node.key})),
            "State": materialized.get(key, ""),
        }
        text = "\n".join(f"- {name}: {value}" for name, value in lines.items() if value)
        text = f"`{key}`: {node.description or 'no description'}\n\n{text}"
        passages.append(Passage("the asset graph", (f"Asset {key}",), f"{web_url}/assets/{quote(key)}", text))
    return passages


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

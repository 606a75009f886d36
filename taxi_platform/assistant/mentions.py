"""Which services, months and assets a question names, and what is on record of them. Pure: records are handed in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from taxi_platform.ledger.states import MonthState

_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NUMBERED = re.compile(r"(?<!\d)((?:19|20)\d\d)-(0[1-9]|1[0-2])(?!\d)")
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})[a-z]*\.? +((?:19|20)\d\d)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b(?!-\d)")


def services_in(question: str) -> list[str]:
    """Return the names of the services that a question names, by their names or other words."""
    text = question.lower().replace("-", " ")
    return [
        name
        for name, service in SERVICES.items()
        if re.search(rf"(?<![a-z])({'|'.join((name, *service.words))})(?![a-z])", text)
    ]


def months_in(question: str) -> list[Month]:
    """The months that a question names: ``2020-04``, ``April 2020``, and of a year alone all twelve."""
    months = {Month(int(year), int(month)) for year, month in _NUMBERED.findall(question)}
    months |= {Month(int(year), _NAMES.index(name.lower()) + 1) for name, year in _NAMED.findall(question)}
    years = {int(year) for year in _YEAR.findall(_NAMED.sub("", question))}
    return sorted(months | {Month(year, month) for year in years for month in range(1, 13)})


def assets_in(question: str, keys: Iterable[str]) -> list[str]:
    """The assets that a question names: by their keys, or tables of trips by their services."""
    spoken = set(re.findall(r"[\w/]+", question.lower()))
    tables = {SERVICES[name].table for name in services_in(question)}
    return [key for key in keys if key.lower() in spoken or key in tables]


def without_months(question: str) -> str:
    """The question as documents may answer it, which say nothing of single months."""
    for pattern in (_NUMBERED, _NAMED, _YEAR):
        question = pattern.sub(" ", question)
    return question


def on_record(question: str, states: Mapping[str, Mapping[Month, "MonthState"]]) -> list[str]:
    """A line for each month that the question names, or for each service where it names no month."""
    services, months = services_in(question), months_in(question)
    if not months:
        return [_total(name, list(states[name].values())) for name in services if name in states]
    services = services or list(SERVICES)
    return [
        _line(states[name][month]) if month in states[name] else f"{name} {month}: is no partition"
        for month in months
        for name in services
        if name in states
    ]


def _line(one: "MonthState") -> str:
    note = f" ({one.note})" if one.note else ""
    rows = f", {one.rows:,} rows" if one.rows else ""
    return f"{one.service} {one.month}: {one.state}{note}{rows}"


def _total(service: str, states: Sequence["MonthState"]) -> str:
    there = [one for one in states if one.rows]
    rows = sum(one.rows for one in there)
    months = f", {there[0].month} to {there[-1].month}" if there else ""
    failed = sum(one.state == "failed" for one in states)
    failures = f", {failed} failed" if failed else ""
    return f"{service}: {rows:,} rows in {len(there)} of {len(states)} months{months}{failures}"

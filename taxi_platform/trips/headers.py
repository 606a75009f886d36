"""The first line of a trip file, matched against the service's contract. Pure; rows do not belong here."""

import csv
from dataclasses import dataclass

from taxi_platform.errors import SchemaMismatch
from taxi_platform.redaction import kind_of
from taxi_platform.trips.columns import Column
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SHOWN = 25  # names that a message lists
LONGEST_SHOWN = 60  # characters of each


@dataclass(frozen=True)
class Header:
    """Which columns a file has, in its own order.

    Attributes:
        columns: the contract's columns in the order of the file.
        line_end: how the header line ends.
    """

    columns: tuple[Column, ...]
    line_end: bytes


def match_header(service: Service, line: bytes, subject: str, month: Month | None = None) -> Header:
    """Match a header line to the contract: names without case and outer space, in any order.

    Args:
        service: whose contract.
        line: the file's first line.
        subject: the file's name, for messages.
        month: the file's month; columns that are newer than it may be absent, as may optional ones.

    Raises:
        SchemaMismatch: a column is missing, unknown or named twice, or the line is not a header at all.
    """
    line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
    names = _names(line, subject)
    known = {spelling.lower(): column for column in service.columns for spelling in (column.source, *column.aliases)}
    columns = [known[name] for name in names if name in known]
    if not columns:
        raise SchemaMismatch(
            subject,
            f"the first line names no column of {service.name} trips: it is {kind_of(line)}",
            "The header is missing, or this is another kind of file.",
        )
    unknown = [name for name in names if name not in known]
    missing = [c.source for c in service.columns if c not in columns and not c.may_lack(month)]
    twice = sorted({c.source for c in columns if columns.count(c) > 1})
    problems = [
        f"{label} {_listed(found)}"
        for label, found in (("unknown:", unknown), ("missing:", missing), ("named twice:", twice))
        if found
    ]
    if problems:
        raise SchemaMismatch(
            subject,
            f"the columns of the header are not those of {service.name} trips ({'; '.join(problems)})",
            "Correct the file, or the contract in taxi_platform/trips/columns.py if the publisher changed it.",
        )
    return Header(tuple(columns), line_end)


def _listed(names: list[str]) -> str:
    """Spell some names for a message, which must stay short whatever the line is."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(repr(name[:LONGEST_SHOWN]) for name in names[:SHOWN]) + more


def _names(line: bytes, subject: str) -> list[str]:
    try:
        text = line.decode("utf-8-sig")
        return [name.strip().lower() for record in csv.reader([text.strip()]) for name in record]
    except UnicodeDecodeError:
        problem = f"the first line is not text, but {kind_of(line)}"
    except csv.Error as error:  # a field as long as a file, or lines that end in CR alone
        problem = f"the first line is not a header ({error}), but {kind_of(line)}"
    raise SchemaMismatch(subject, problem, "This is not a trip file; fetch it again.")

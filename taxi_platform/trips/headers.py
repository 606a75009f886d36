"""The names of a trip file's columns, matched against the service's contract. Rows do not belong here."""

import csv
import re
from collections import Counter
from dataclasses import dataclass

from taxi_platform.errors import SchemaMismatch
from taxi_platform.redaction import kind_of
from taxi_platform.settings import settings
from taxi_platform.trips.columns import Column
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

LONGEST_NAME = 63  # of a column, in PostgreSQL
RESERVED = (
    *("unique_row_id", "filename", "file_month", "file_version"),  # of every table
    *("tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"),  # PostgreSQL's own columns
)
ADDED = "Added from "
"""The beginning of the description of a column that came from a file and is not in the contract."""

_ADVICE = (
    "Correct the file, or set TAXI_ON_NEW_COLUMNS: ignore loads the month without unknown columns, add adds them to "
    "the table as text. A column that the publisher added belongs in taxi_platform/trips/columns.py."
)


@dataclass(frozen=True)
class Header:
    """Which columns a file has, in its own order; those that the contract does not know are added or ignored."""

    columns: tuple[Column, ...]
    line_end: bytes
    added: tuple[Column, ...] = ()
    ignored: tuple[Column, ...] = ()


def match_header(service: Service, line: bytes, subject: str, month: Month | None = None) -> Header:
    """Match a header line to the contract. The order of the names, their case and outer space do not matter.

    ``TAXI_ON_NEW_COLUMNS`` decides about columns that the contract does not know. Columns that are newer than the month
    may be absent, as may optional ones. Messages call the file ``subject``.

    Raises:
        SchemaMismatch: a column is missing, unknown or named twice, or the line is not a header at all.
    """
    line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
    names = _names(line, subject)
    known = {spelling.lower(): column for column in service.columns for spelling in (column.source, *column.aliases)}
    if not any(name in known for name in names):
        raise SchemaMismatch(
            subject,
            f"the first line names no column of {service.name} trips: it is {kind_of(line)}",
            "The header is missing, or this is another kind of file.",
        )
    on_new_columns = settings().on_new_columns
    columns = tuple(known.get(name) or _new_column(name, subject, service) for name in names)
    new = tuple(column for column, name in zip(columns, names, strict=True) if name not in known)
    found = Counter(column.source for column in columns)
    problems = {
        "unknown": [name for name in names if name not in known and on_new_columns == "fail"],
        "missing": [c.source for c in service.columns if c.source not in found and not c.may_lack(month)],
        "named twice": sorted(name for name, times in found.items() if times > 1),
    }
    if any(problems.values()):
        listed = "; ".join(f"{label}: {', '.join(map(repr, names))}" for label, names in problems.items() if names)
        raise SchemaMismatch(
            subject,
            f"the columns of the header are not those of {service.name} trips ({listed})",
            _ADVICE if problems["unknown"] else "Correct the file, or the contract in taxi_platform/trips/columns.py.",
        )
    return Header(columns, line_end, added=new) if on_new_columns == "add" else Header(columns, line_end, ignored=new)


def has_waiting_columns(service: Service, ignored: str | None) -> bool:
    """Return whether a month that was loaded without the ``ignored`` columns would be loaded with them now."""
    names = ignored.split(", ") if ignored else []
    return any(map(service.has, names)) or (bool(names) and settings().on_new_columns == "add")


def _new_column(name: str, subject: str, service: Service) -> Column:
    """Return a column for a name that the contract does not know, under a name that every database accepts."""
    spelled = re.sub(r"\W", "_", name, flags=re.ASCII)[:LONGEST_NAME]
    if not re.match("[a-z_]", spelled) or spelled in RESERVED or service.has(spelled):
        spelled = f"new_{spelled}"[:LONGEST_NAME]
    meaning = f"{ADDED}{subject}: the contract does not know this column."
    return Column(spelled, meaning, "text", "STRING", aliases=(name,))


def _names(line: bytes, subject: str) -> list[str]:
    try:
        text = line.decode("utf-8-sig")
        return [name.strip().lower() for record in csv.reader([text.strip()]) for name in record]
    except UnicodeDecodeError:
        problem = f"the first line is not text, but {kind_of(line)}"
    except csv.Error as error:  # a field as long as a file, or lines that end in CR alone
        problem = f"the first line is not a header ({error}), but {kind_of(line)}"
    raise SchemaMismatch(subject, problem, "This is not a trip file; fetch it again.")

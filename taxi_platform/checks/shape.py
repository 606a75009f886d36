"""Whether a month is its file: all rows of it, of that very file, in the contract's columns. Pure.

What fails here is no weakness of the data but a fault of the loading or a hand in the table, so it blocks.
"""

from collections.abc import Iterator

from taxi_platform.checks.facts import MonthFacts
from taxi_platform.checks.results import Check, Verdict
from taxi_platform.postgres import tables
from taxi_platform.trips.keys import COLUMNS_CHECK, FILE_CHECK, ROWS_CHECK
from taxi_platform.trips.services import Service

ROWS = Check(ROWS_CHECK, "Every row of the file is in the table or among the rejects, once.", blocks=True)
FILE = Check(FILE_CHECK, "The table was made from the raw file, by SHA-256, and is as made.", blocks=True)
COLUMNS = Check(COLUMNS_CHECK, "The table has the contract's columns and types, in its order.", blocks=True)
CHECKS = (ROWS, FILE, COLUMNS)


def shape_verdicts(service: Service, facts: MonthFacts) -> Iterator[Verdict]:
    """The verdicts of all checks that block."""
    if facts.is_there:
        yield _rows(service, facts)
        yield _file(service, facts)
        yield _columns(service, facts)
        return
    for check in CHECKS:
        story = f"There is no table {tables.partition_of(service, facts.month)}. {_mend(service, facts)}"
        yield Verdict(check, False, story, facts.month)


def _rows(service: Service, facts: MonthFacts) -> Verdict:
    recorded = facts.record.facts.rows if facts.record else None
    in_file = facts.raw.rows if facts.raw else recorded
    passed = in_file == facts.rows + facts.rejected
    told = f"{facts.rows:,} in the table and {facts.rejected:,} among the rejects"
    story = f"{told}, of {in_file:,} rows in the file." if in_file is not None else f"{told}; of no file is known."
    numbers = {"rows_in_file": in_file, "rows_in_table": facts.rows, "rows_rejected": facts.rejected}
    return Verdict(ROWS, passed, story if passed else f"{story} {_mend(service, facts)}", facts.month, numbers)


def _file(service: Service, facts: MonthFacts) -> Verdict:
    recorded, raw = facts.record and facts.record.facts.sha256, facts.raw and facts.raw.sha256
    numbers = {"sha256_of_table": recorded, "sha256_of_raw_file": raw}
    problem = ""
    if facts.record is None:
        problem = "Nobody noted from which file the table was made."
    elif not facts.record.untouched:
        problem = "The table is another than the one that was loaded: it was rewritten, truncated or detached since."
    elif raw and raw != recorded:
        problem = f"The table was made from {recorded}, and the raw file is {raw}."
    if problem:
        return Verdict(FILE, False, f"{problem} {_mend(service, facts)}", facts.month, numbers)
    story = f"Made from {recorded}" + (", the raw file." if raw else "; no raw file is kept or on record any more.")
    return Verdict(FILE, True, story, facts.month, numbers)


def _columns(service: Service, facts: MonthFacts) -> Verdict:
    expected = list(tables.column_types(service).items())
    found = list(facts.columns)
    numbers = {"columns": len(found)}
    if found != expected:
        missing = [f"{name} {kind}" for name, kind in expected if (name, kind) not in found]
        surplus = [f"{name} {kind}" for name, kind in found if (name, kind) not in expected]
        parts = [f"it lacks {', '.join(missing)}"] if missing else []
        parts += [f"it has {', '.join(surplus)} instead or besides"] if surplus else []
        what = "; ".join(parts) or "they stand in another order"
        story = f"The table differs from the contract: {what}. {_mend(service, facts)}"
        return Verdict(COLUMNS, False, story, facts.month, numbers)
    if facts.record and not facts.record.current:
        story = f"The month was loaded by an earlier contract. {_mend(service, facts)}"
        return Verdict(COLUMNS, False, story, facts.month, numbers)
    return Verdict(COLUMNS, True, f"All {len(found)} columns are the contract's.", facts.month, numbers)


def _mend(service: Service, facts: MonthFacts) -> str:
    return f"Load it again: taxi backfill {service.name} {facts.month} --all"

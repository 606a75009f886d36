"""The zone lookup's contract: which columns it has, and how its file is read. Where it is stored does not belong here.

Source of the meanings: the TLC's taxi zone lookup table.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from taxi_platform.errors import BadRows, DamagedFile, SchemaMismatch
from taxi_platform.redaction import kind_of

TABLE = "taxi_zone_lookup"
FILE = "taxi_zone_lookup.csv"
_ZONE = re.compile(r"\d{1,9}", re.ASCII)

ZoneRow = tuple[int, str, str, str]  # as COLUMNS names the fields
COLUMNS = {
    "locationid": ("integer", "The number of the TLC taxi zone, as trips carry it."),
    "borough": ("text", "The borough that the zone lies in; EWR for Newark airport, Unknown for 264 and 265."),
    "zone": ("text", "The zone's name."),
    "service_zone": ("text", "Who serves it: Yellow Zone, Boro Zone, Airports or EWR."),
}


def read_zones(path: Path) -> list[ZoneRow]:
    """Return the zones of a lookup file, in which ``NA`` and ``N/A`` are names, not missing values.

    Raises:
        DamagedFile: the file is empty or not text.
        SchemaMismatch: the header has other columns.
        BadRows: a row has another number of fields, an open quote, or an id that is not a number or comes twice.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DamagedFile(FILE, f"it is not UTF-8 text, but {kind_of(data)}", f"It is at {path}.") from None
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:  # for example a quote that is never closed
        raise BadRows(FILE, f"it is not valid CSV ({error})", "Correct the file and run again.") from None
    if len(rows) < 2:
        raise DamagedFile(FILE, "it has no zones", f"It is at {path}.")
    if [name.strip().lower() for name in rows[0]] != list(COLUMNS):
        what = f"it is {kind_of(data)} whose first line is not {', '.join(COLUMNS)}"
        raise SchemaMismatch(FILE, what, f"It is at {path}.")
    _check_rows(rows[1:])
    return [(int(number), borough, zone, service_zone) for number, borough, zone, service_zone in rows[1:]]


def _check_rows(rows: Sequence[Sequence[str]]) -> None:
    seen: set[int] = set()
    for number, row in enumerate(rows, start=1):
        problem = None
        if len(row) != len(COLUMNS):
            problem = f"{len(row)} fields where there are {len(COLUMNS)} columns"
        elif not _ZONE.fullmatch(row[0]):
            problem = f"{row[0][:60]!r} is not a zone number"
        elif int(row[0]) in seen:
            problem = f"zone {int(row[0])} comes twice"
        if problem:
            raise BadRows(FILE, f"zone row {number}: {problem}", "Correct the file and run again.")
        seen.add(int(row[0]))

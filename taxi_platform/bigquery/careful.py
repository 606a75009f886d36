"""A trip file read line by line, for what BigQuery's reader and plain SQL do not understand. Pure, but for the files.

What comes out is a file of the same columns whose fields need no judgement any more, with the row's id in front, made
here of the texts that PostgreSQL would make of the values.
"""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import IO

from taxi_platform.trips.columns import Column
from taxi_platform.trips.reading import TripStream
from taxi_platform.trips.records import Record, read_records
from taxi_platform.trips.services import Service

SHOWN = 10  # bad rows that a message lists
_SCALE = Decimal(1).scaleb(-9)  # NUMERIC has nine digits behind the point, and 29 before it
_LIMIT = Decimal(10) ** 29
_EXACT = Context(prec=60)
_WHOLE = 2**53  # from here on, doubles are whole numbers


@dataclass
class Prepared:
    """What a careful reading found.

    Attributes:
        loaded: rows that were written.
        rejected: rows that were not.
        first: the first of those, for messages.
    """

    loaded: int = 0
    rejected: int = 0
    first: list[Record] = field(default_factory=list[Record])

    @property
    def rows(self) -> int:
        """All records of the file."""
        return self.loaded + self.rejected


def prepare(service: Service, stream: TripStream, good: IO[bytes], bad: IO[bytes]) -> Prepared:
    """Write the good rows of a stream to one compressed CSV file, and its bad ones with line and reason to another.

    Raises:
        DamagedFile: as ``TripStream.blocks`` does.
    """
    done = Prepared()
    identity = [service.column(name) for name in service.identity]
    columns = stream.header.columns
    with _writing(good) as rows, _writing(bad) as rejects:
        good_rows, bad_rows = csv.writer(rows), csv.writer(rejects, quoting=csv.QUOTE_ALL)
        good_rows.writerow(["unique_row_id", *(column.name for column in columns)])
        bad_rows.writerow(["line", "text", "reason"])
        for record in read_records(stream):
            values, problem = ((), record.problem) if record.problem else _amounts(record.values, columns)
            if problem is None:
                by_name = dict(zip(columns, record.values, strict=True))
                good_rows.writerow([_row_id([(column, by_name.get(column, "")) for column in identity]), *values])
                done.loaded += 1
            else:
                bad_rows.writerow([record.line, record.text, problem])
                done.rejected += 1
                if len(done.first) < SHOWN:
                    done.first.append(Record(record.line, record.text, problem=problem))
    return done


def _writing(file: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0), "utf-8", newline="")


def _amounts(values: Sequence[str], columns: Sequence[Column]) -> tuple[Sequence[str], str | None]:
    """The values with amounts as NUMERIC holds them, or what is wrong with one."""
    spelled: list[str] = []
    for text, column in zip(values, columns, strict=True):
        number = numeric(text) if text and column.postgres == "double precision" else text
        if number is None:
            return (), f"{column.source} {text[:60]!r} is no amount that BigQuery's NUMERIC can hold"
        spelled.append(number)
    return spelled, None


def numeric(text: str) -> str | None:
    """A number as NUMERIC holds it, rounded half away from zero to nine digits behind the point; none if it cannot."""
    number = Decimal(text)
    if not number.is_finite() or number.copy_abs() >= _LIMIT:
        return None
    held = number.quantize(_SCALE, ROUND_HALF_UP, _EXACT)
    return f"{held.normalize(_EXACT):f}" if held.copy_abs() < _LIMIT else None


def _row_id(identity: Sequence[tuple[Column, str]]) -> str:
    texts = "".join(as_postgres_writes(column, text) for column, text in identity)
    return hashlib.md5(texts.encode(), usedforsecurity=False).hexdigest()


def as_postgres_writes(column: Column, text: str) -> str:
    """The text that PostgreSQL makes of the value of a field."""
    if text and column.postgres == "double precision":
        return double_precision(float(text))
    if column.postgres == "timestamp" and "." in text:
        return text.rstrip("0").rstrip(".")
    return text


def double_precision(number: float) -> str:
    """A finite number as PostgreSQL writes it: the shortest digits that mean it, from 1e+15 on with an exponent."""
    sign, digits, exponent = Decimal(_shortest(number)).normalize(_EXACT).as_tuple()
    power = len(digits) + int(exponent) - 1  # of the first digit
    if number == 0 or -5 < power < 15:
        return f"{Decimal((sign, digits, int(exponent))):f}"
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{power:+03d}"


def _shortest(number: float) -> str:
    """The shortest digits that mean a number, but none that lie half-way to the next one, as Python would take.

    PostgreSQL leaves those out, for not every reader rounds to even. Below 2^53, what lies half-way has more digits.
    """
    if abs(number) < _WHOLE:
        return repr(number)
    step = Fraction(math.ulp(number))
    for places in range(17):
        text = f"{number:.{places}e}"
        if float(text) == number and abs(Fraction(text) - Fraction(number)) * 2 != step:
            return text
    return repr(number)

"""The SQL that makes, replaces and reads months in BigQuery. Pure text, derived from the contracts.

Names and literals come from the settings, which are validated, and from the contracts, never from a file.

Every column is staged as text and cast here, so that the platform decides what a value is, and not BigQuery's reader.
What is staged is a regular file (see ``trips.reading``) or the canonical CSV of the parser (``trips.records``). In a
regular file, an integer that may be too large for PostgreSQL, or an amount in the row's id that PostgreSQL may print
differently, stops the statement; the parser then reads the file.
"""

from collections.abc import Iterable, Sequence

from taxi_platform.bigquery.clients import LABELS
from taxi_platform.bigquery.tables import PARTITION, ROW_ID, VERSION
from taxi_platform.trips.columns import Column
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

NEEDS_PARSER = "taxi_platform: a row that needs the parser"

_COUNT_DIGITS = 9
# At most 15 digits, so that the decimal is the shortest text of the double precision number that it stands for; at
# least 0.0001, which PostgreSQL still writes without an exponent; no leading zeros, because PostgreSQL writes none.
_AMOUNT_OF_ID = r"-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?"


def staged_trips(
    service: Service,
    month: Month,
    columns: Sequence[Column],
    version: int,
    staging: str,
    *,
    canonical: bool,
    order: Sequence[str] = (),
) -> str:
    """Return the query that makes trips, marked with a version, of the texts of the staging table's columns.

    Where the parser did not write the texts (``canonical``), an error stops the query at a row that needs it. The
    columns have the order of the table, which may have some that the contract does not know, as text.
    """
    identity = [column for column in map(service.column, service.identity) if column in columns]
    row_id = f"TO_HEX(MD5(CONCAT({', '.join(map(_as_postgres_writes, identity))})))"
    checks = [] if canonical else _checks(service, columns)
    if checks:
        row_id = f"IF(\n    {' AND '.join(checks)},\n    {row_id},\n    ERROR('{NEEDS_PARSER}')\n  )"
    values = {
        ROW_ID: row_id,
        "filename": f"'{service.file_name(month)}'",
        **{column.name: _value(column, columns) for column in service.columns},
        PARTITION: _day(month),
        VERSION: str(version),
    }
    unknown = {name: Column(name, "", "text", "STRING") for name in order if name not in values}
    values |= {name: _value(column, columns) for name, column in unknown.items()}
    selected = ",\n  ".join(f"{values[name]} AS {name}" for name in order or values)
    return f"SELECT\n  {selected}\nFROM `{staging}`"


def staged_rejects(service: Service, month: Month, version: int, staging: str) -> str:
    """Return the query that makes rejects of a staging table's lines, texts and reasons."""
    return f"""\
SELECT
  '{service.file_name(month)}' AS filename,
  line,
  text,
  reason,
  {_day(month)} AS {PARTITION},
  {version} AS {VERSION}
FROM `{staging}`"""


def merge_month(table: str, month: Month, columns: Sequence[str], rows: str) -> str:
    """Return the statement by which emulators, which cannot replace a partition, replace a month by a query's rows.

    Nothing ever matches, so that every row of the query is inserted and every old row of the month is deleted.
    """
    names = ", ".join(columns)
    incoming = rows.replace("\n", "\n  ")
    return f"""\
MERGE `{table}` AS existing
USING (
  {incoming}
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND existing.{PARTITION} = {_day(month)} THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT ({names})
  VALUES ({names})"""


def clear_month(table: str, month: Month) -> str:
    """Return the statement that removes a month from a table: all of a partition, which BigQuery drops unread."""
    return f"DELETE FROM `{table}` WHERE {PARTITION} >= {_day(month)} AND {PARTITION} < {_day(month.plus(1))}"


def versions(table: str, month: Month) -> str:
    """Return the query for the number of rows of each version that a month has."""
    return f"""\
SELECT {VERSION}, COUNT(*) AS row_count
FROM `{table}`
WHERE {PARTITION} = {_day(month)}
GROUP BY {VERSION}"""


def rows_by_month(table: str) -> str:
    """Return the query for the rows of each month; the filter satisfies tables that require one."""
    return f"""\
SELECT {PARTITION}, COUNT(*) AS row_count
FROM `{table}`
WHERE {PARTITION} >= DATE '1970-01-01'
GROUP BY {PARTITION}"""


def summary(service: Service, table: str, month: Month) -> str:
    """Return the query for a month's rows, its amounts in cents, its pickups in seconds, and the four parts of its ids.

    Sums do not depend on an order, and show a row that is there twice. The first 32 bits of eight million ids add up to
    55 bits.
    """
    parts = ",\n  ".join(
        f"COALESCE(SUM(CAST(CONCAT('0x', SUBSTR({ROW_ID}, {first}, 8)) AS INT64)), 0) AS ids_{first}"
        for first in (1, 9, 17, 25)
    )
    paid = "COALESCE(CAST(ROUND(SUM(total_amount) * 100) AS INT64), 0)" if service.has("total_amount") else "0"
    return f"""\
SELECT
  COUNT(*) AS row_count,
  {paid} AS cents,
  COALESCE(SUM(UNIX_SECONDS({service.pickup})), 0) AS pickup_seconds,
  {parts}
FROM `{table}`
WHERE {PARTITION} = {_day(month)}"""


def rows_of(table: str, columns: Iterable[str] = (), months: Iterable[Month] = ()) -> str:
    """Return the query for a table's rows: some columns or all, of some months or all."""
    days = ", ".join(map(_day, months))
    return f"SELECT {', '.join(columns) or '*'} FROM `{table}`" + (f" WHERE {PARTITION} IN ({days})" if days else "")


def replace_zones(table: str, rows: Iterable[Sequence[object]], columns: Iterable[tuple[str, str]]) -> str:
    """Return the statement that makes a table of zones of exactly these rows; columns are names and types."""
    structs = ",\n  ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    fields = ", ".join(f"{name} {kind}" for name, kind in columns)
    labels = ", ".join(f"({_literal(name)}, {_literal(value)})" for name, value in LABELS.items())
    return f"""\
CREATE OR REPLACE TABLE `{table}`
OPTIONS (labels = [{labels}]) AS
SELECT * FROM UNNEST(ARRAY<STRUCT<{fields}>>[
  {structs}
])"""


def _day(month: Month) -> str:
    return f"DATE '{month}-01'"


def _literal(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return f"'{escaped}'"
    return str(value)


def _checks(service: Service, columns: Sequence[Column]) -> list[str]:
    """Return the conditions under which a row of a regular file need not go through the parser."""
    return [
        f"LENGTH(COALESCE({column.name}, '')) <= {_COUNT_DIGITS}"
        if column.postgres == "integer"
        else f"REGEXP_CONTAINS(COALESCE({column.name}, ''), r'^{_AMOUNT_OF_ID}$')"
        for column in columns
        if column.postgres == "integer" or (column.postgres == "double precision" and column.name in service.identity)
    ]


def _value(column: Column, staged: Sequence[Column]) -> str:
    """Return the column's value, made of its text. BigQuery stops at a text that is not a value."""
    if column.name not in {each.name for each in staged}:
        return f"CAST(NULL AS {column.bigquery})"
    text = f"NULLIF({column.name}, '')"
    if column.postgres == "integer":
        number = f"CAST({text} AS INT64)"
        return f"CAST({number} AS STRING)" if column.bigquery == "STRING" else number
    if column.bigquery == "TIMESTAMP":
        return f"TIMESTAMP({text}, 'UTC')"  # a CAST would use the time zone that the project may have set
    return text if column.bigquery == "STRING" else f"CAST({text} AS {column.bigquery})"


def _as_postgres_writes(column: Column) -> str:
    """Return a regular or canonical field as PostgreSQL writes its value: an amount without superfluous zeros.

    Numbers with an exponent were written by the parser and stay as they are. In the replacement, only the digit after
    the backslash names a group; the zero after it is the one that PostgreSQL writes before a point.
    """
    name = column.name
    if column.postgres != "double precision":
        return f"COALESCE({name}, '')"
    has_zeros = f"STRPOS({name}, '.') > 0 AND STRPOS({name}, 'e') = 0"
    bare = f"IF({has_zeros}, RTRIM(RTRIM({name}, '0'), '.'), NULLIF({name}, ''))"
    return f"COALESCE(REGEXP_REPLACE({bare}, r'^(-?)(\\.|$)', r'\\10\\2'), '')"

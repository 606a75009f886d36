r"""The SQL that makes, replaces and reads months in BigQuery. Pure text, derived from the contracts.

Names and literals come from the settings, which are validated, and from the contracts, never from a file.

Every column is staged as text, so that the platform decides what a field may look like, and not BigQuery's reader. An
object of the lake is staged as it is; each of its rows must then be spelled plainly, in the way that published files
are, or the statement stops and the file is read by the parser (``trips.records``), whose output is staged instead.

| kind | plain, when it is not empty |
|---|---|
| moment | ``2019-03-01 00:21:11`` |
| count | ``1`` |
| amount | any number without an exponent |
| amount of the row's id | ``7``, ``7.00``, ``.68``: up to 11 digits, and up to 4 significant ones after the point |
| code | ASCII text without a point or quote, because ``1.0`` means ``1`` |
| text | ASCII text without a quote |
"""

from collections.abc import Iterable, Sequence

from taxi_platform.bigquery.tables import PARTITION, ROW_ID, VERSION, Field
from taxi_platform.trips.columns import Column
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

NOT_PLAIN = "taxi_platform: a row that is not plain"

_SEPARATOR = "|"
# Printable ASCII only: BigQuery converts other bytes as it sees fit. No quote, which may have been left open.
_TEXT = r"[ !#-{}~]*"
_CODE = r"[ !#-\-/-{}~]*"
_MOMENT = r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})?"
_COUNT = r"(-?[0-9]{1,9})?"
_AMOUNT = r"[+-]?[0-9]{0,29}(\.[0-9]*)?"
# At most 15 digits, so that the decimal is the shortest text of the double precision number that it stands for; at
# least 0.0001, which PostgreSQL still writes without an exponent; no leading zeros, because PostgreSQL writes none.
_AMOUNT_OF_ID = r"-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?"


def staged_trips(
    service: Service, month: Month, columns: Sequence[Column], version: int, staging: str, *, canonical: bool
) -> str:
    """Return the query that makes trips of a staging table's texts.

    Args:
        service: the contract.
        month: the file's month.
        columns: the staged columns.
        version: marks the rows.
        staging: the table of texts.
        canonical: whether the parser wrote the texts; if not, an error stops the query at a row that is not plain.
    """
    identity = [column for column in map(service.column, service.identity) if column in columns]
    row_id = f"TO_HEX(MD5(CONCAT({', '.join(map(_as_postgres_writes, identity))})))"
    if not canonical:
        row_id = f"IF(\n    {_is_plain(service, columns)},\n    {row_id},\n    ERROR('{NOT_PLAIN}')\n  )"
    trips = ",\n  ".join(f"{_value(column, columns)} AS {column.name}" for column in service.columns)
    return f"""\
SELECT
  {row_id} AS {ROW_ID},
  '{service.file_name(month)}' AS filename,
  {trips},
  {_day(month)} AS {PARTITION},
  {version} AS {VERSION}
FROM `{staging}`"""


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


def merge_month(table: str, month: Month, fields: Sequence[Field], rows: str) -> str:
    """Return the statement by which emulators, which cannot replace a partition, replace a month by a query's rows.

    Nothing ever matches, so that every row of the query is inserted and every old row of the month is deleted.
    """
    names = ", ".join(field.name for field in fields)
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
    """Return the statement that removes a month from a table; BigQuery drops the whole partition, free of charge."""
    return f"DELETE FROM `{table}` WHERE {PARTITION} = {_day(month)}"


def versions(table: str, month: Month) -> str:
    """Return the query for how many rows of which version a month has."""
    return f"""\
SELECT {VERSION}, COUNT(*) AS row_count
FROM `{table}`
WHERE {PARTITION} = {_day(month)}
GROUP BY {VERSION}"""


def summary(service: Service, table: str, month: Month) -> str:
    """Return the query for a month's rows, the sum of its amounts in cents, and the sums of the four parts of its ids.

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
  {parts}
FROM `{table}`
WHERE {PARTITION} = {_day(month)}"""


def rows_of(table: str, columns: Iterable[str] = (), months: Iterable[Month] = ()) -> str:
    """Return the query for a table's rows: some columns or all, of some months or all."""
    days = ", ".join(map(_day, months))
    return f"SELECT {', '.join(columns) or '*'} FROM `{table}`" + (f" WHERE {PARTITION} IN ({days})" if days else "")


def replace_zones(table: str, rows: Iterable[Sequence[object]], columns: Iterable[tuple[str, str]]) -> str:
    """Return the statement that makes a table of zones of exactly these rows.

    Args:
        table: the table.
        rows: the zones, their values in the order of the columns.
        columns: name and type of each column, as BigQuery spells it.
    """
    structs = ",\n  ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    fields = ", ".join(f"{name} {kind}" for name, kind in columns)
    return f"CREATE OR REPLACE TABLE `{table}` AS\nSELECT * FROM UNNEST(ARRAY<STRUCT<{fields}>>[\n  {structs}\n])"


def _day(month: Month) -> str:
    return f"DATE '{month}-01'"


def _literal(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return f"'{escaped}'"
    return str(value)


def _is_plain(service: Service, columns: Sequence[Column]) -> str:
    """Return the condition that all fields of a row are plain: the row as one line, matched against one pattern."""
    fields = f", '{_SEPARATOR}', ".join(f"COALESCE({column.name}, '')" for column in columns)
    pattern = rf"\{_SEPARATOR}".join(_pattern(service, column) for column in columns)
    return f"REGEXP_CONTAINS(CONCAT({fields}), r'^{pattern}$')"


def _pattern(service: Service, column: Column) -> str:
    if column.postgres == "double precision":
        return _AMOUNT_OF_ID if column.name in service.identity else _AMOUNT
    if column.postgres == "text":
        return _CODE if column.is_code else _TEXT
    return _MOMENT if column.postgres == "timestamp" else _COUNT


def _value(column: Column, staged: Sequence[Column]) -> str:
    """Return the column's value, made of its text. A text that is neither plain nor canonical is an error."""
    if column not in staged:
        return f"CAST(NULL AS {column.bigquery})"
    text = f"NULLIF({column.name}, '')"
    if column.postgres == "integer":
        number = f"CAST({text} AS INT64)"
        return f"CAST({number} AS STRING)" if column.bigquery == "STRING" else number
    if column.bigquery == "TIMESTAMP":
        return f"TIMESTAMP({text}, 'UTC')"  # a CAST would use the time zone that the project may have set
    return text if column.bigquery == "STRING" else f"CAST({text} AS {column.bigquery})"


def _as_postgres_writes(column: Column) -> str:
    """Return a plain or canonical field as PostgreSQL writes its value: an amount without superfluous zeros.

    Numbers with an exponent were written by the parser and stay as they are. In the replacement, only the digit after
    the backslash names a group; the zero after it is the one that PostgreSQL writes before a point.
    """
    name = column.name
    if column.postgres != "double precision":
        return f"COALESCE({name}, '')"
    has_zeros = f"STRPOS({name}, '.') > 0 AND STRPOS({name}, 'e') = 0"
    bare = f"IF({has_zeros}, RTRIM(RTRIM({name}, '0'), '.'), NULLIF({name}, ''))"
    return f"COALESCE(REGEXP_REPLACE({bare}, r'^(-?)(\\.|$)', r'\\10\\2'), '')"

"""The SQL that reads and replaces months in the warehouse. Pure: text only, derived from the contracts.

Names and literals in it come from the settings, which are validated, and from the contracts, never from a file.
"""

from collections.abc import Iterable, Sequence

from taxi_platform.bigquery import values
from taxi_platform.bigquery.schema import PARTITION, ROW_ID, VERSION, Field, first_day
from taxi_platform.trips.columns import Column
from taxi_platform.trips.headers import Header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

NOT_PLAIN = "taxi_platform: a row that is not plain"


def staged_trips(
    service: Service, month: Month, header: Header, version: int, staging: str, *, prepared: bool = False
) -> str:
    """The query that makes trips of a staging table's texts; an error stops it at a row that is not plain.

    Args:
        service: the contract.
        month: the file's month.
        header: which columns are staged.
        version: marks the rows.
        staging: the table of texts.
        prepared: whether the texts were prepared by ``careful``, ids included.
    """
    identity = [column for column in map(service.column, service.identity) if column in header.columns]
    made = (
        f"IF(\n    {values.is_plain(service, header.columns)},\n    {values.row_id(identity)},\n"
        f"    ERROR('{NOT_PLAIN}')\n  )"
    )
    trips = ",\n  ".join(f"{_value(column, header)} AS {column.name}" for column in service.columns)
    return f"""\
SELECT
  {ROW_ID if prepared else made} AS {ROW_ID},
  '{service.file_name(month)}' AS filename,
  {trips},
  {_day(month)} AS {PARTITION},
  {version} AS {VERSION}
FROM `{staging}`"""


def _value(column: Column, header: Header) -> str:
    return values.value(column) if column in header.columns else f"CAST(NULL AS {column.bigquery})"


def staged_rejects(service: Service, month: Month, version: int, staging: str) -> str:
    """The query that makes rejects of a staging table's lines, texts and reasons."""
    return f"""\
SELECT
  '{service.file_name(month)}' AS filename,
  line,
  text,
  reason,
  {_day(month)} AS {PARTITION},
  {version} AS {VERSION}
FROM `{staging}`"""


def replace_month(table: str, month: Month, fields: Sequence[Field], rows: str, version: int | None = None) -> str:
    """The one statement that makes a month in a table exactly the rows of a query; all at once, or not at all.

    Nothing ever matches, so that every row of the query is inserted, and every row of the month that was there before
    is deleted. The condition names one partition: the others are neither read nor locked, and a statement for another
    month runs beside this one. Two for the same month have to be kept apart by whoever sends them (see ``exchange``).

    Args:
        table: which table.
        month: which month.
        fields: the table's columns, which are the query's.
        rows: the query.
        version: only the rows of this version are replaced; without one, all of the month's.
    """
    names = ", ".join(field.name for field in fields)
    incoming = rows.replace("\n", "\n  ")
    only = "" if version is None else f" AND there.{VERSION} = {version}"
    return f"""\
MERGE `{table}` AS there
USING (
  {incoming}
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND there.{PARTITION} = {_day(month)}{only} THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT ({names})
  VALUES ({names})"""


def clear_other_versions(table: str, month: Month, version: int) -> str:
    """The statement that removes what other versions of the month's file have left in a table."""
    return f"DELETE FROM `{table}` WHERE {PARTITION} = {_day(month)} AND {VERSION} != {version}"


def versions(table: str, month: Month) -> str:
    """The query for what is there of a month: how many rows of which version."""
    return f"""\
SELECT {VERSION}, COUNT(*) AS rows_there
FROM `{table}`
WHERE {PARTITION} = {_day(month)}
GROUP BY {VERSION}"""


def summary(service: Service, table: str, month: Month) -> str:
    """The query for a month's rows, the sum of its amounts in cents, and the sums of the four parts of its ids.

    Sums do not depend on an order, and see a row that is there twice. The first 32 bits of eight million ids add up to
    55 bits.
    """
    parts = ",\n  ".join(
        f"COALESCE(SUM(CAST(CONCAT('0x', SUBSTR({ROW_ID}, {first}, 8)) AS INT64)), 0) AS ids_{first}"
        for first in (1, 9, 17, 25)
    )
    return f"""\
SELECT
  COUNT(*) AS rows_there,
  {_cents(service)} AS cents,
  {parts}
FROM `{table}`
WHERE {PARTITION} = {_day(month)}"""


def _cents(service: Service) -> str:
    """The sum of what was paid; trips of services that publish no amounts have none."""
    paid = service.has("total_amount")
    return "COALESCE(CAST(ROUND(SUM(total_amount) * 100) AS INT64), 0)" if paid else "0"


def rows_of(table: str, columns: Iterable[str] = (), months: Iterable[Month] = ()) -> str:
    """The query for a table's rows: some columns or all, of some months or all."""
    days = ", ".join(map(_day, months))
    return f"SELECT {', '.join(columns) or '*'} FROM `{table}`" + (f" WHERE {PARTITION} IN ({days})" if days else "")


def _day(month: Month) -> str:
    return f"DATE '{first_day(month)}'"

r"""From the texts of a row to its values in the warehouse, as BigQuery's SQL. Pure.

Every column is staged as text, so that what a field may look like is decided here and not by BigQuery's reader, and is
the same as for PostgreSQL. Here the plain spellings are read that the published files have. A row with any other, good
or bad, stops the statement, and the file is read line by line instead (see ``careful``).

| kind | plain, when it is not empty |
|---|---|
| moment | ``2019-03-01 00:21:11`` |
| count | ``1`` |
| amount | any number without an exponent |
| amount of the row's id | ``7``, ``7.00``, ``.68``: up to 11 digits, and up to 4 that count behind the point |
| code | any text without a point or quote, for ``1.0`` is ``1`` |
| text | any text without a quote |
"""

from collections.abc import Sequence

from taxi_platform.trips.columns import Column
from taxi_platform.trips.services import Service

_SEPARATOR = "|"
_TEXT = r'[^|"\x{FFFD}]*'  # no quote that may have been left open, nor what BigQuery makes of bytes that are no UTF-8
_CODE = r'[^|."\x{FFFD}]*'
_MOMENT = r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})?"
_COUNT = r"(-?[0-9]{1,9})?"
_AMOUNT = r"[+-]?[0-9]{0,29}(\.[0-9]*)?"
# At most 15 digits, so that the decimal is the shortest text of the double precision number that it stands for; at
# least 0.0001, which PostgreSQL still writes without an exponent; no zeros in front, of which it writes none.
_AMOUNT_OF_ID = r"-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?"


def is_plain(service: Service, columns: Sequence[Column]) -> str:
    """Whether all fields of a row are plain: the row as one line, matched against one pattern."""
    fields = f", '{_SEPARATOR}', ".join(f"COALESCE({column.name}, '')" for column in columns)
    pattern = rf"\{_SEPARATOR}".join(_pattern(service, column) for column in columns)
    return f"REGEXP_CONTAINS(CONCAT({fields}), r'^{pattern}$')"


def _pattern(service: Service, column: Column) -> str:
    if column.postgres == "double precision":
        return _AMOUNT_OF_ID if column.name in service.identity else _AMOUNT
    if column.postgres == "text":
        return _CODE if column.is_code else _TEXT
    return _MOMENT if column.postgres == "timestamp" else _COUNT


def value(column: Column) -> str:
    """The column's value, of a plain text or of one that ``careful`` has prepared. What is neither is an error."""
    text = f"NULLIF({column.name}, '')"
    if column.postgres == "integer":
        number = f"CAST({text} AS INT64)"
        return f"CAST({number} AS STRING)" if column.bigquery == "STRING" else number
    return text if column.bigquery == "STRING" else f"CAST({text} AS {column.bigquery})"


def row_id(columns: Sequence[Column]) -> str:
    """The course's md5 of these columns, made of the very texts that PostgreSQL makes of the values."""
    return f"TO_HEX(MD5(CONCAT({', '.join(_as_text(column) for column in columns)})))"


def _as_text(column: Column) -> str:
    """A plain field as PostgreSQL writes its value: of an amount without the zeros that say nothing.

    In the replacement, only the digit behind the backslash names a group; the zero behind it is the zero before a point
    that has none.
    """
    name = column.name
    if column.postgres != "double precision":
        return f"COALESCE({name}, '')"
    bare = f"IF(STRPOS({name}, '.') > 0, RTRIM(RTRIM({name}, '0'), '.'), NULLIF({name}, ''))"
    return f"COALESCE(REGEXP_REPLACE({bare}, r'^(-?)(\\.|$)', r'\\10\\2'), '')"

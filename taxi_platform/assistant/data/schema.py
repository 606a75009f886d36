"""What a model is told of the tables that it may ask: their columns, types and meanings, as the database has them."""

from collections import defaultdict
from typing import Any

from taxi_platform.assistant.data.reader import Reader
from taxi_platform.postgres.connection import execute
from taxi_platform.postgres.errors import postgres_errors

_COLUMNS = """
select t.name, a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)
from unnest(%s::text[]) as t (name) join pg_attribute as a on a.attrelid = t.name::regclass
where a.attnum > 0 and not a.attisdropped
order by t.name, a.attnum"""


def schema_of(reader: Reader) -> dict[str, dict[str, Any]]:
    """The tables that may be read, each with its columns: the type, and what it means where that is known.

    Raises:
        DatabaseInterrupted, DatabaseRefused: as they say.
    """
    described: dict[str, dict[str, Any]] = defaultdict(dict)
    with postgres_errors("the tables' columns"):
        rows = execute(reader.connection, _COLUMNS, (list(reader.tables),)).fetchall()
    for table, column, kind, meaning in rows:
        described[table][column] = f"{kind}: {meaning}" if meaning else kind
    return dict(described)

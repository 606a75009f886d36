"""A proposal without a model: an asset that counts the rows of the table that fits a description best. Pure.

It works as it is, and is meant as a start: another query goes into ``QUERY``. A model gets it as the example.
"""

import re
from collections.abc import Callable
from textwrap import indent, wrap

from taxi_platform.assistant.proposals.files import Proposal, ProposedFile

_SMALL_WORDS = {
    "a",
    "an",
    "and",
    "asset",
    "at",
    "by",
    "each",
    "for",
    "from",
    "in",
    "of",
    "on",
    "per",
    "the",
    "to",
    "with",
}
_ASSET = '''\
"""The asset ``{name}``: {count}."""

from typing import Any

import dagster as dg

from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.errors import postgres_errors
from taxi_platform.orchestration.postgres_io import PostgresResource
from taxi_platform.orchestration.run_failures import told_to_dagster

QUERY = "select count(*) from {table}"


@dg.asset(
    description=(
{description}
    ),
    deps=[dg.AssetKey({key!r})],
    group_name="proposals",
    kinds={{"postgres"}},
    owners=["team:data-engineering"],
)
def {name}(context: dg.AssetExecutionContext, database: PostgresResource) -> dg.MaterializeResult[Any]:
    """The number that the query gives, as metadata that the UI plots over time."""
    with told_to_dagster(), connect(database.address(context.log.info)) as connection, postgres_errors("{name}"):
        (number,) = execute(connection, QUERY).fetchone() or (0,)
    return dg.MaterializeResult(metadata={{"number": int(number)}})
'''
_TEST = '''\
"""The asset ``{name}``: what it records of a table in a database of the test's own."""

import dagster as dg
import psycopg

from taxi_platform.defs.{name}.assets import {name}
from taxi_platform.orchestration.postgres_io import PostgresResource


def test_the_rows_of_the_table_are_counted(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create schema if not exists {schema}")
        connection.execute("create table {table} as select trip from generate_series(1, 3) as trip")
    done = dg.materialize([{name}], resources={{"database": PostgresResource(url=database, server_folder="")}})
    (made,) = done.asset_materializations_for_node("{name}")
    assert made.metadata["number"].value == 3
'''


def name_for(description: str, is_taken: Callable[[str], bool]) -> str:
    """A name for the asset, of the first words that mean something."""
    words = [word for word in re.findall(r"[a-z]+", description.lower()) if word not in _SMALL_WORDS][:4]
    name = "_".join(words)[:40].strip("_") or "proposal"
    names = [f"{name}_asset", *(f"{name}_asset_{number}" for number in range(2, 100))]
    return next(one for one in names if not is_taken(one))


def template(description: str, name: str, key: str, table: str) -> Proposal:
    """The proposal.

    Args:
        description: what the asset shall be, in words.
        name: of the asset and of its module.
        key: of the asset that it is made from.
        table: where that one is kept, with its schema.
    """
    count = f"the rows of {table}, counted"
    pieces = [ascii(piece) for piece in wrap(" ".join(description.split()), 80, drop_whitespace=False)]
    filled = {"name": name, "key": key.split("/"), "table": table, "schema": table.partition(".")[0], "count": count}
    filled |= {"description": indent("\n".join(pieces), " " * 8)}
    return Proposal(
        summary=f"Counts the rows of {table}, the table that fits the description best. Put your own query into QUERY.",
        files=[
            ProposedFile(path=f"taxi_platform/defs/{name}/__init__.py", text=f'"""The asset ``{name}``."""\n'),
            ProposedFile(path=f"taxi_platform/defs/{name}/assets.py", text=_ASSET.format(**filled)),
            ProposedFile(path=f"taxi_platform_tests/integration/test_{name}.py", text=_TEST.format(**filled)),
        ],
    )

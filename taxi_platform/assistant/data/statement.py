"""Whether a statement that a model wrote is one that only reads what may be read. Pure; nothing is run here.

This is the first defence. The second, and the real one, is the role that runs it (see ``reader``). What is let through
is written anew from its syntax tree, so that what was checked is what is shown, and what is shown is what is run.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from taxi_platform.errors import TaxiError

if TYPE_CHECKING:
    from sqlglot import expressions as exp

LONGEST = 10_000  # characters: five pages of SQL; what is longer answers no question that fits on one
SCHEMAS = ("public", "analytics")  # where a name without a schema is looked for, in this order

# The parts of a query, and the functions, by the names of their classes. Nothing else is let through: neither what
# writes, locks or waits, nor what reads files, settings or other servers, nor what makes one row of a gigabyte.
_PARTS = """
    select union intersect except subquery with cte from join where group having order ordered limit offset distinct
    window windowspec filter withingroup column identifier star alias tablealias table literal null boolean paren tuple
    and or not neg add sub mul div intdiv mod dpipe eq neq gt gte lt lte is nullsafeeq nullsafeneq between in exists
    like ilike regexplike regexpilike similarto case if cast datatype datatypeparam interval var attimezone all any
    cube rollup groupingsets escape
"""
_FUNCTIONS = """
    count sum avg min max stddev stddevpop stddevsamp variance variancepop corr covarsamp covarpop
    percentilecont percentiledisc mode logicaland logicalor countif
    rownumber rank denserank percentrank cumedist ntile lag lead firstvalue lastvalue nthvalue
    abs round floor ceil sign sqrt pow exp ln log mod greatest least widthbucket trunc
    coalesce nullif lower upper length left right substring trim splitpart replace strposition concat initcap
    timestamptrunc datetrunc extract timetostr strtodate strtotime date currentdate currenttimestamp currenttime
"""
_BY_NAME = frozenset({"age", "make_date", "regr_slope", "regr_r2", "to_char", "to_date", "to_number", "date_part"})
_TYPES = """
    boolean smallint int bigint decimal float double text varchar char date time timestamp timestamptz interval
"""
_ALLOWED = frozenset(f"{_PARTS} {_FUNCTIONS}".split())
_ALLOWED_TYPES = frozenset(_TYPES.split())


class StatementRefused(TaxiError):
    """A statement is not run: it is no query, or asks for what no answer needs."""


def checked(text: str, tables: Collection[str]) -> str:
    """The statement as it may be run, in PostgreSQL's spelling.

    Args:
        text: what the model wrote.
        tables: which tables may be read, each with its schema.

    Raises:
        StatementRefused: it is not exactly one query of these tables by well-known functions.
    """
    if len(text) > LONGEST:
        raise _refusal(f"it has {len(text):,} characters, and at most {LONGEST:,} are taken")
    try:
        tree = _parsed(text)
        for problem in _problems(tree, tables):
            raise _refusal(problem)
        return tree.sql("postgres", comments=False, pretty=True)
    except RecursionError:
        raise _refusal("it is nested too deeply") from None


def _refusal(problem: str) -> StatementRefused:
    return StatementRefused("the statement", problem)


def _parsed(text: str) -> "exp.Expr":
    import sqlglot
    from sqlglot import expressions as exp
    from sqlglot.errors import ParseError, SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what it cannot read, and so do we
    try:
        found = [tree for tree in sqlglot.parse(text, read="postgres", error_level=sqlglot.ErrorLevel.RAISE) if tree]
    except (TypeError, ValueError, AttributeError) as error:  # its parser stumbles over some of what is no SQL
        raise _refusal(f"it cannot be read as SQL ({error})") from None
    except SqlglotError as error:
        said = error.errors[0]["description"] if isinstance(error, ParseError) and error.errors else str(error)
        raise _refusal(f"it cannot be read as SQL ({' '.join(said.split())[:200]})") from None
    if len(found) != 1:
        raise _refusal(f"it is {len(found)} statements, and one is taken")
    if not isinstance(found[0], exp.Select | exp.SetOperation):
        raise _refusal(f"it is no SELECT but {found[0].key.upper()}")
    return found[0]


def _problems(tree: "exp.Expr", tables: Collection[str]) -> Iterator[str]:
    from sqlglot import expressions as exp

    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            if node.name.lower() not in _BY_NAME:
                yield f"the function {node.name} is none of those that are let through"
        elif isinstance(node, exp.DataType):
            if str(getattr(node.this, "value", node.this)).lower() not in _ALLOWED_TYPES:
                yield f"the type {node.sql('postgres')} is none of those that are let through"
        elif isinstance(node, exp.With) and node.args.get("recursive"):
            yield "it is recursive, which no answer needs"
        elif node.key not in _ALLOWED:
            what = "the function" if isinstance(node, exp.Func) else "the part"
            yield f"{what} {_name(node)} is none of those that are let through"
    yield from _foreign_tables(tree, tables)


def _name(node: "exp.Expr") -> str:
    from sqlglot import expressions as exp

    return node.sql_name() if isinstance(node, exp.Func) else node.key.upper()


def _foreign_tables(tree: "exp.Expr", tables: Collection[str]) -> Iterator[str]:
    """What is read though it may not be. A name may be that of a CTE, but only where the CTE can be seen."""
    from sqlglot import expressions as exp
    from sqlglot.errors import OptimizeError
    from sqlglot.optimizer.scope import Scope, traverse_scope

    try:
        chosen = [found for scope in traverse_scope(tree) for found in scope.selected_sources.values()]
    except OptimizeError as error:
        yield " ".join(str(error).split())
        return
    own = {id(node) for node, source in chosen if isinstance(source, Scope)}
    for table in tree.find_all(exp.Table):
        if id(table) not in own and qualified(_parts(table), tables) is None:
            yield f"{table.sql('postgres')} is none of the tables that may be read: {', '.join(sorted(tables))}"


def _parts(table: "exp.Table") -> Sequence[str]:
    parts = [part for part in table.parts if part]
    return [part.name if part.args.get("quoted") else part.name.lower() for part in parts]


def qualified(parts: Sequence[str], tables: Collection[str]) -> str | None:
    """The table's name with its schema as PostgreSQL would find it; none where it is none of the tables."""
    name = ".".join(parts)
    places = [name] if len(parts) > 1 else [f"{schema}.{name}" for schema in SCHEMAS]
    return next((place for place in places if place in tables), None)

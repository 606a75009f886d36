"""Which columns of other tables each column of a model is made of, read from its compiled SQL.

Slow, and done once, when the manifest is made. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from taxi_platform.errors import BrokenModels

# Columns that a target's tables of trips have beyond what the contracts say.
_FURTHER = {"bigquery": {"file_month": "date"}}

Lineage = Mapping[str, Mapping[str, list[list[str]]]]  # model → column → tables and columns that it is made of


def lineage_of(manifest: Mapping[str, Any]) -> Lineage:
    """The lineage of every model that is made of SQL.

    Args:
        manifest: of ``dbt compile``, with the columns of all models and sources.

    Raises:
        BrokenModels: a model's SQL cannot be read, names a column that none of its tables has, or lacks one that is
            described.
    """
    nodes: Mapping[str, Any] = {**manifest["nodes"], **manifest["sources"]}
    names = {_plain(node["relation_name"]): node["name"] for node in nodes.values() if node.get("relation_name")}
    dialect: str = manifest["metadata"]["adapter_type"]
    return {
        node["name"]: _columns(node, [nodes[one] for one in node["depends_on"]["nodes"]], names, dialect)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def _columns(
    node: Mapping[str, Any], upstream: Sequence[Mapping[str, Any]], names: Mapping[str, str], dialect: str
) -> Mapping[str, list[list[str]]]:
    from sqlglot import exp, lineage, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema = _schema(upstream, dialect)
    made: dict[str, list[list[str]]] = {}
    try:
        query = qualify(parse_one(node["compiled_code"], dialect=dialect), dialect=dialect, schema=schema)
        trace, scope = cast("Any", lineage).lineage, build_scope(query)
        traced = {
            column: list(trace(column, query, schema=schema, dialect=dialect, scope=scope).walk())
            for column in node["columns"]
        }
    except SqlglotError as error:
        subject = f"model {node['name']} ({node['original_file_path']})"
        raise BrokenModels(subject, f"on {dialect}, {error}", "Mend its SQL, or its description.") from None
    for column, nodes in traced.items():
        leaves = [leaf for leaf in nodes if not leaf.downstream and isinstance(leaf.expression, exp.Table)]
        pairs = {(names[_relation(leaf.expression)], exp.to_column(leaf.name).name) for leaf in leaves}
        made[column] = [list(pair) for pair in sorted(pairs)]
    return made


def _schema(upstream: Sequence[Mapping[str, Any]], dialect: str) -> Any:
    from sqlglot import MappingSchema, exp

    schema = MappingSchema(dialect=dialect)
    for one in upstream:
        columns = {column["name"]: column["data_type"] for column in one["columns"].values()}
        if one["resource_type"] == "source":
            columns |= _FURTHER.get(dialect, {})
        schema.add_table(exp.to_table(one["relation_name"], dialect=dialect), columns, dialect=dialect)
    return schema


def _relation(table: Any) -> str:
    return ".".join(part.name for part in table.parts)


def _plain(relation: str) -> str:
    return relation.replace('"', "").replace("`", "")

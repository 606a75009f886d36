"""The lineage of the models' columns, read from their compiled SQL by sqlglot."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from taxi_platform.errors import BrokenModels

# Columns that a target's tables of trips have in addition to those of the contracts.
_FURTHER = {"bigquery": {"file_month": "date"}}

Lineage = Mapping[str, Mapping[str, list[list[str]]]]
"""By model and column: the tables and columns that the column is made of."""


def read_columns(manifest: Mapping[str, Any], dialect: str) -> Lineage:
    """Return the lineage of every SQL model, in the dialect of its target.

    Slow (it parses the compiled SQL), so it is done once, when the manifest is made.

    Raises:
        BrokenModels: a model's SQL cannot be parsed, uses a column that none of its tables has, or does not return a
            column that its description names.
    """
    nodes: Mapping[str, Any] = {**manifest["nodes"], **manifest["sources"]}
    relations = {node["relation_name"]: node["name"] for node in nodes.values() if node.get("relation_name")}
    names = {relation.replace('"', "").replace("`", ""): name for relation, name in relations.items()}
    return {
        node["name"]: _columns(node, [nodes[unique_id] for unique_id in node["depends_on"]["nodes"]], names, dialect)
        for node in nodes.values()
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
    columns: dict[str, list[list[str]]] = {}
    try:
        query = qualify(parse_one(node["compiled_code"], dialect=dialect), dialect=dialect, schema=schema)
        trace, scope = cast("Any", lineage).lineage, build_scope(query)
        traced = {
            column: list(trace(column, query, schema=schema, dialect=dialect, scope=scope).walk())
            for column in node["columns"]
        }
    except SqlglotError as error:
        subject = f"model {node['name']} ({node['original_file_path']})"
        raise BrokenModels(subject, f"on {dialect}, {error}", "Correct its SQL or its description.") from None
    for column, nodes in traced.items():
        leaves = [leaf for leaf in nodes if not leaf.downstream and isinstance(leaf.expression, exp.Table)]
        pairs = {
            (names[".".join(part.name for part in leaf.expression.parts)], exp.to_column(leaf.name).name)
            for leaf in leaves
        }
        columns[column] = [list(pair) for pair in sorted(pairs)]
    return columns


def _schema(upstream: Sequence[Mapping[str, Any]], dialect: str) -> Any:
    from sqlglot import MappingSchema, exp

    schema = MappingSchema(dialect=dialect)
    for table in upstream:
        columns = {column["name"]: column["data_type"] for column in table["columns"].values()}
        if table["resource_type"] == "source":
            columns |= _FURTHER.get(dialect, {})
        schema.add_table(exp.to_table(table["relation_name"], dialect=dialect), columns, dialect=dialect)
    return schema

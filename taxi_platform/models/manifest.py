"""What dbt's manifest says of models and tests, and the lineage of the models' columns. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from taxi_platform.errors import BrokenModels

MONTHS = "monthly"  # the tag of the models that are built month by month

# What is read of a manifest, which has several times as much.
_OF_A_NODE = (
    *("attached_node", "checksum", "columns", "compiled_code", "config", "contract", "depends_on", "description"),
    *("fqn", "name", "original_file_path", "relation_name", "resource_type", "tags"),
)
_OF_A_COLUMN, _OF_A_CONFIG = ("name", "data_type", "description"), ("materialized", "severity")

# Columns that a target's tables of trips have in addition to those of the contracts.
_FURTHER = {"bigquery": {"file_month": "date"}}

Node = Mapping[str, Any]
"""A model, seed, test or source, as the manifest describes it."""

Lineage = Mapping[str, Mapping[str, list[list[str]]]]
"""By model and column: the tables and columns that the column is made of."""


def shortened(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of dbt's manifest that is read."""

    def of_node(node: Node) -> Mapping[str, Any]:
        columns = {name: _only(column, _OF_A_COLUMN) for name, column in node["columns"].items()}
        return {**_only(node, _OF_A_NODE), "columns": columns, "config": _only(node["config"], _OF_A_CONFIG)}

    return {
        "metadata": {"adapter_type": manifest["metadata"]["adapter_type"]},
        **{kind: {name: of_node(node) for name, node in manifest[kind].items()} for kind in ("nodes", "sources")},
    }


def _only(part: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    return {name: part[name] for name in names if name in part}


def nodes_of(manifest: Mapping[str, Any], *types: str) -> list[Node]:
    """Return the nodes of some types, such as ``model``, ``seed`` and ``test``."""
    return [node for node in manifest["nodes"].values() if node["resource_type"] in types]


def upstream_of(manifest: Mapping[str, Any], node: Node) -> list[str]:
    """Return the names of the models and tables that a model is made of or a test reads."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    return list(dict.fromkeys(nodes[unique_id]["name"] for unique_id in node["depends_on"].get("nodes", [])))


def tested_model(manifest: Mapping[str, Any], test: Node) -> str:
    """Return the name of the model that shows a test's result."""
    return manifest["nodes"][test.get("attached_node") or test["depends_on"]["nodes"][0]]["name"]


def plain_relation(node: Node) -> str:
    """Return the full name of a table or view without quotes."""
    return node["relation_name"].replace('"', "").replace("`", "")


def read_columns(manifest: Mapping[str, Any]) -> Lineage:
    """Return the lineage of every SQL model.

    Slow (it parses the compiled SQL), so it is done once, when the manifest is made.

    Raises:
        BrokenModels: a model's SQL cannot be parsed, uses a column that none of its tables has, or does not return a
            column that its description names.
    """
    nodes: Mapping[str, Any] = {**manifest["nodes"], **manifest["sources"]}
    names = {plain_relation(node): node["name"] for node in nodes.values() if node.get("relation_name")}
    dialect: str = manifest["metadata"]["adapter_type"]
    return {
        node["name"]: _columns(node, [nodes[unique_id] for unique_id in node["depends_on"]["nodes"]], names, dialect)
        for node in nodes_of(manifest, "model")
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

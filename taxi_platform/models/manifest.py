"""Models, their tests and the lineage of their columns, read from dbt's manifest. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from taxi_platform.errors import BrokenModels

MONTHS = "monthly"  # the tag of the models that are built month by month
BUILT = ("model", "seed")

# Columns that a target's tables of trips have in addition to those of the contracts.
_FURTHER = {"bigquery": {"file_month": "date"}}

Lineage = Mapping[str, Mapping[str, list[list[str]]]]
"""By model and column: the tables and columns that the column is made of."""


@dataclass(frozen=True)
class Column:
    """A column of a model."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Check:
    """A dbt test, shown in Dagster as a check of the model that it tests.

    Attributes:
        description: what is true when it passes.
        further: the names of the other models and tables that it reads.
        is_blocking: whether downstream models are skipped when it fails.
    """

    name: str
    model: str
    description: str
    further: Sequence[str]
    is_blocking: bool


@dataclass(frozen=True)
class Model:
    """A model or a seed.

    Attributes:
        name: its name, in dbt, in Dagster and in the database.
        kind: ``view``, ``table``, ``monthly`` or ``seed``.
        upstream: the names of the models and tables that it is made of.
        path: its file, relative to the dbt project.
        relation: its full name on the target of the manifest.
        version: a hash of its code.
    """

    name: str
    kind: str
    description: str
    columns: Sequence[Column]
    upstream: Sequence[str]
    path: str
    relation: str
    is_monthly: bool
    version: str
    checks: Sequence[Check]


def models_of(manifest: Mapping[str, Any]) -> list[Model]:
    """Return every model and seed with its tests."""
    nodes: Mapping[str, Any] = manifest["nodes"]
    checks = [_check(manifest, node) for node in nodes.values() if node["resource_type"] == "test"]
    return [_model(manifest, node, checks) for node in nodes.values() if node["resource_type"] in BUILT]


def name_of(manifest: Mapping[str, Any], unique_id: str) -> str:
    """Return the name of a model, a seed or a source."""
    return {**manifest["nodes"], **manifest["sources"]}[unique_id]["name"]


def _model(manifest: Mapping[str, Any], node: Mapping[str, Any], checks: Sequence[Check]) -> Model:
    name = node["name"]
    return Model(
        name=name,
        kind="seed" if node["resource_type"] == "seed" else node["config"]["materialized"],
        description=node["description"],
        columns=[
            Column(column["name"], column.get("data_type") or "", column["description"])
            for column in node["columns"].values()
        ],
        upstream=_names(manifest, node),
        path=node["original_file_path"],
        relation=_plain(node["relation_name"]),
        is_monthly=MONTHS in node["tags"],
        version=node["checksum"]["checksum"][:16],
        checks=[check for check in checks if check.model == name],
    )


def _check(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> Check:
    upstream = _names(manifest, node)
    named = node["config"].get("meta", {}).get("dagster", {}).get("ref", {}).get("name")
    attached = node.get("attached_node")
    model = named or (name_of(manifest, attached) if attached else upstream[0])
    return Check(
        name=node["name"],
        model=model,
        description=node["description"],
        further=[name for name in upstream if name != model],
        is_blocking=node["config"]["severity"].lower() == "error",
    )


def _names(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    ids = node.get("depends_on", {}).get("nodes", [])
    return list(dict.fromkeys(name_of(manifest, unique_id) for unique_id in ids))


def read_columns(manifest: Mapping[str, Any]) -> Lineage:
    """Return the lineage of every SQL model.

    Slow (it parses the compiled SQL), so it is done once, when the manifest is made.

    Raises:
        BrokenModels: a model's SQL cannot be parsed, uses a column that none of its tables has, or does not return a
            column that its description names.
    """
    nodes: Mapping[str, Any] = {**manifest["nodes"], **manifest["sources"]}
    names = {_plain(node["relation_name"]): node["name"] for node in nodes.values() if node.get("relation_name")}
    dialect: str = manifest["metadata"]["adapter_type"]
    return {
        node["name"]: _columns(node, [nodes[unique_id] for unique_id in node["depends_on"]["nodes"]], names, dialect)
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


def _plain(relation: str) -> str:
    return relation.replace('"', "").replace("`", "")

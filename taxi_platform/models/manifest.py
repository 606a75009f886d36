"""What the manifest says of models and tests, as far as Dagster needs to know it. Pure.

dagster-dbt reads it too, and takes a second or two to be imported, which every run of every asset would have to pay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MONTHS = "monthly"  # the tag of what is built month by month
BUILT = ("model", "seed")


@dataclass(frozen=True)
class Column:
    """A column of a model."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Check:
    """A dbt test, seen as a check of the model that it is about.

    Attributes:
        name: its name, in dbt and in Dagster.
        model: the name of the model.
        description: what holds when it passes.
        further: the names of other models and tables that it reads.
        is_blocking: whether its failure keeps what lies downstream from being built.
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
        description: what it holds.
        columns: its columns in order.
        upstream: the names of the models and tables that it is made of.
        path: its file, seen from the dbt project.
        relation: its full name in the database for which the manifest was made.
        is_monthly: whether it is built month by month.
        version: changes whenever its code does.
        checks: its tests.
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
    """Every model and seed, with its tests."""
    nodes: Mapping[str, Any] = manifest["nodes"]
    checks = [_check(manifest, node) for node in nodes.values() if node["resource_type"] == "test"]
    return [_model(manifest, node, checks) for node in nodes.values() if node["resource_type"] in BUILT]


def name_of(manifest: Mapping[str, Any], unique_id: str) -> str:
    """The name of a model, a seed or a source."""
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
        relation=node["relation_name"].replace('"', "").replace("`", ""),
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
    return list(dict.fromkeys(name_of(manifest, one) for one in ids))

"""The dbt project and the services' contracts: a column that is renamed in one of them only fails here."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from taxi_platform.bigquery.tables import trip_fields
from taxi_platform.defs.models import models_asset
from taxi_platform.errors import BrokenModels, MissingExtra
from taxi_platform.models import project
from taxi_platform.models.contract import contract_files
from taxi_platform.models.lineage import read_columns
from taxi_platform.models.project import (
    FOLDER,
    TARGETS,
    find_manifest,
    fingerprint,
    nodes_of,
    read_manifest,
)
from taxi_platform.trips.services import SERVICES

COMPILED = Path(__file__).parent / "compiled"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def manifest_of(target: str, data: Path) -> Path:
    path = find_manifest(data, target)
    assert path
    return path


@pytest.mark.parametrize("place", contract_files(), ids=str)
def test_generated_files_match_the_contracts(place: Path) -> None:
    written = (FOLDER / place).read_text(encoding="utf-8")
    assert written == contract_files()[place], "run `python -m taxi_platform.models.contract`, and correct the models"


def test_without_dbt_an_edited_model_is_shown_unchanged_or_left_out(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder, compiled = tmp_path / "dbt", manifest_of("bigquery", data)
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("target", "compiled"))
    monkeypatch.setattr(project, "is_installed", lambda _: False)
    assert find_manifest(tmp_path / "data", "bigquery", folder) is None
    (folder / "compiled").mkdir()
    own = shutil.copy(compiled, folder / "compiled/bigquery.json")
    (folder / "models/intermediate/int_trips.sql").write_text("select 1")
    assert find_manifest(tmp_path / "data", "bigquery", folder) == own
    assert "pip install 'taxi-platform[bigquery-models]'" in caplog.text
    with pytest.raises(MissingExtra, match=r"taxi-platform\[bigquery-models\]"):
        project.require("bigquery")


def test_a_model_that_reads_a_renamed_column_is_an_error(data: Path) -> None:
    manifest = json.loads(manifest_of("postgres", data).read_text(encoding="utf-8"))
    columns = manifest["sources"]["source.taxi_platform.trips.green_tripdata"]["columns"]
    columns["paid_by"] = {**columns.pop("payment_type"), "name": "paid_by"}
    with pytest.raises(BrokenModels, match=r"model stg_green_tripdata \(models/staging/.*'payment_type'"):
        read_columns(manifest, "postgres")


@pytest.mark.parametrize("target", TARGETS)
def test_every_column_of_every_trip_reaches_a_model(target: str, data: Path) -> None:
    found = read_manifest(manifest_of(target, data))["lineage"]
    for service in SERVICES.values():
        read = {tuple(one) for sources in found[f"stg_{service.table}"].values() for one in sources}
        assert {name for table, name in read if table == service.table} >= {
            column.name for column in service.columns
        }, service.name


@pytest.mark.parametrize("target", TARGETS)
def test_every_model_column_and_test_is_described_and_every_column_has_a_type(target: str, data: Path) -> None:
    manifest = read_manifest(manifest_of(target, data))
    for model in nodes_of(manifest, "model", "seed"):
        assert model["description"]
        assert model["columns"]
        for column in model["columns"].values():
            assert column["description"], (model["name"], column["name"])
            assert column["data_type"]
    for test in nodes_of(manifest, "test"):
        assert test["description"].endswith("."), test["name"]


def test_every_mart_has_a_contract_and_reconciliation_tests_block(data: Path) -> None:
    manifest = read_manifest(manifest_of("postgres", data))
    marts = [node for node in nodes_of(manifest, "model") if "marts" in node["fqn"]]
    assert len(marts) == 6
    assert all(node["contract"]["enforced"] for node in marts)
    blocking = {test["name"] for test in nodes_of(manifest, "test") if test["config"]["severity"].lower() == "error"}
    assert {"trips_are_as_many_as_in_the_tables", "trip_keys_are_unique", "revenue_adds_up_to_the_trips"} <= blocking
    assert "pickup_zones_are_in_the_lookup" not in blocking


def test_a_test_that_reads_no_model_is_not_a_check(data: Path) -> None:
    manifest = read_manifest(manifest_of("postgres", data))
    target = ("models", "postgres", (), "models", "dbt")
    checks = models_asset(manifest, *target).check_keys
    source = {"resource_type": "test", "name": "totals", "depends_on": {"nodes": ["source.taxi.trips.green_tripdata"]}}
    more = {**manifest, "nodes": {**manifest["nodes"], "test.taxi.totals": source}}
    assert models_asset(more, *target).check_keys == checks


def test_every_model_is_valid_bigquery_sql_and_matches_its_snapshot(data: Path) -> None:
    from sqlglot import parse_one

    manifest = read_manifest(manifest_of("bigquery", data))
    models = {node["name"]: node["compiled_code"] for node in manifest["nodes"].values() if "compiled_code" in node}
    for name, sql in models.items():
        assert parse_one(sql, dialect="bigquery").sql(dialect="bigquery"), name
    for name in ("stg_green_tripdata", "fct_trips", "fct_fhv_trips", "fct_monthly_zone_revenue"):
        snapshot = COMPILED / f"{name}.sql"
        assert models[name].strip() == snapshot.read_text(encoding="utf-8").strip(), f"differs from {snapshot}"


# Bytes that BigQuery bills for a text, whose type has no size. ABSENT is not counted: months may lack these columns.
TEXTS = {"unique_row_id": 34, "trip_key": 34, "filename": 29, "service": 8}
ABSENT = ("ehail_fee", "airport_fee", "cbd_congestion_fee", "request_source")


def test_models_and_tests_of_a_month_read_few_bytes_of_each_yellow_trip_on_bigquery(data: Path) -> None:
    from sqlglot import exp, parse_one
    from sqlglot.optimizer.pushdown_projections import pushdown_projections
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import traverse_scope

    nodes = read_manifest(manifest_of("bigquery", data))["nodes"].values()
    compiled = {node["name"]: node["compiled_code"] for node in nodes if "compiled_code" in node}
    place = "project.dataset."
    views = {
        place + name: parse_one(sql, dialect="bigquery")
        for name, sql in compiled.items()
        if name.startswith(("stg_", "int_"))
    }
    columns = {
        node["name"]: {name: each["data_type"] for name, each in node["columns"].items()}
        for node in nodes
        if node["columns"]
    }
    for service in SERVICES.values():
        columns[service.table] = {field.name: field.kind for field in trip_fields(service)}
    columns["taxi_zone_lookup"] = dict.fromkeys(("locationid", "borough", "zone", "service_zone"), "STRING")

    def bytes_read(sql: str) -> int:
        """Return the bytes that a statement reads of a yellow trip, in ``yellow_tripdata`` and ``fct_trips``."""
        expanded = exp.expand(parse_one(sql, dialect="bigquery"), views, dialect="bigquery")
        schema = {"project": {"dataset": columns}}
        tree = pushdown_projections(qualify(expanded, schema=schema, dialect="bigquery"))
        read = {
            (source.name, column.name)
            for scope in traverse_scope(tree)
            for name, source in scope.sources.items()
            if isinstance(source, exp.Table) and source.name in ("yellow_tripdata", "fct_trips")
            for column in scope.columns
            if column.table == name and column.name not in ABSENT
        }
        kinds = [(name, columns[table][name].upper()) for table, name in read]
        return sum(TEXTS.get(name, 5) if kind == "STRING" else 16 if kind == "NUMERIC" else 8 for name, kind in kinds)

    found = {name: bytes_read(sql) for name, sql in compiled.items() if place + name not in views}
    assert found["trips_are_as_many_as_in_the_tables"] == 24
    assert sum(found.values()) == 591  # it would be 670 with file names, and 1,000 with old rows, too


def test_a_manifest_is_compiled_once_and_again_after_an_edit(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "dbt"
    folder.mkdir()
    (folder / "models").mkdir()
    (folder / "models/one.sql").write_text("select 1")
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "models/one.sql").write_text("select 2")
    assert fingerprint(folder) != before
    assert manifest_of("postgres", data) == manifest_of("postgres", data)


def test_dbt_compiles_without_secrets_and_settings(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DBT_HOST", "db.internal")
    monkeypatch.setenv("DBT_ENV_SECRET_TAXI_PASSWORD", "pa55word")
    script, seen = tmp_path / "dbt.py", tmp_path / "seen"
    script.write_text(f"""
import os, pathlib, shutil
pathlib.Path({str(seen)!r}).write_text(repr(os.environ))
shutil.copy({str(manifest_of("postgres", data))!r}, os.environ["DBT_TARGET_PATH"] + "/manifest.json")
""")
    monkeypatch.setattr(project, "DBT", (sys.executable, str(script)))
    project.compile_target(FOLDER, tmp_path / "kept", "postgres")
    assert "DBT_PROFILES_DIR" in seen.read_text()
    assert "pa55word" not in seen.read_text()
    assert "db.internal" not in seen.read_text()

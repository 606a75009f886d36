"""The resources as Dagster and its UI see them: nothing that a run can redirect, and no secrets."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from taxi_platform.settings import settings
from taxi_platform_tests.support.asset_runs import Platform

CLOUD = {"GCP_PROJECT_ID": "project-1", "GCP_LOCATION": "EU", "GCP_BUCKET_NAME": "bucket", "GCP_DATASET": "trips"}
SECRETS = {
    "TAXI_SOURCE": "https://example.com/{service}/{month}.csv.gz?sig=pa55word-1",
    "TAXI_PRODUCTS_URL": "https://example.com/products?api_key=pa55word-2",
    "TAXI_DOCKER_HUB_URL": "https://bob:pa55word-3@example.com",
    "TAXI_POSTGRES_URL": "postgresql://bob:pa55word-4@example.com/trips",
    "GEMINI_API_KEY": "pa55word-5",
    "GCP_CREDS": "pa55word-6",
}


@pytest.mark.parametrize(
    ("asset", "key", "config"),
    [
        ("products", "product_file", {"source": "{folder}/theirs.json", "path": "{folder}/ours.json"}),
        ("raw/green_tripdata", "raw_files", {"source": "{folder}", "folder": "{folder}"}),
        ("raw/green_tripdata", "trip_files", {"raw_files": {"source": "{folder}"}}),
        ("raw/green_tripdata", "landing", {"landing": "{folder}"}),
        ("green_tripdata", "postgres", {"postgres": {"server_folder": "{folder}"}}),
        ("monthly_report", "reports", {"folder": "{folder}"}),
        ("average_price_by_brand", "duckdb_file", {"path": "{folder}/products.duckdb"}),
        ("gcs/green_tripdata", "gcs", {"google": {"storage_host": "http://example.com"}}),
        ("docker_image_pulls", "docker_hub", {"base_url": "http://example.com"}),
    ],
)
def test_a_run_whose_configuration_redirects_a_resource_is_refused(
    asset: str, key: str, config: dict[str, Any], platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "theirs.json").write_text("[]")
    (tmp_path / "ours.json").write_text("precious")
    job = dg.define_asset_job("redirected", dg.AssetSelection.assets(dg.AssetKey.from_user_string(asset)))
    definitions = dg.Definitions.merge(platform.definitions(), dg.Definitions(jobs=[job]))
    redirected = {name: str(value).replace("{folder}", str(tmp_path)) for name, value in config.items()}
    with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config entr"):
        definitions.resolve_job_def("redirected").execute_in_process(
            instance=platform.instance, run_config={"resources": {key: {"config": redirected}}}
        )
    assert (tmp_path / "ours.json").read_text() == "precious"


@pytest.mark.parametrize(
    ("key", "config"),
    [
        pytest.param("io_manager", {"base_dir": "/tmp"}, id="the folder whose files are unpickled"),
        pytest.param("limit", {"at_once": 99}, id="the limit of concurrent runs"),
    ],
)
def test_a_run_cannot_choose_what_a_job_depends_on(key: str, config: dict[str, Any], platform: Platform) -> None:
    job = platform.definitions().resolve_job_def("hello_world")
    with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config entr"):
        dg.validate_run_config(job, {"resources": {key: {"config": config}}})


def test_no_resource_has_configuration_that_a_run_or_the_ui_could_use(platform: Platform) -> None:
    platform.use(**CLOUD)
    for key, resource in (platform.definitions().resources or {}).items():
        assert resource.config_schema.config_type.fields == {}, key


def test_what_the_ui_gets_of_the_code_location_contains_no_secrets(platform: Platform) -> None:
    platform.use(**CLOUD, **SECRETS)
    assert settings().postgres_url
    shown = str(RepositorySnap.from_def(platform.definitions().get_repository_def()))
    assert "product_file" in shown
    assert "pa55word" not in shown

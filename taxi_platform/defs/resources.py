"""The resources and I/O managers, made from the settings. The only place where settings meet Dagster."""

import dagster as dg

from taxi_platform.orchestration.cloud_io import CloudResource, LakeIOManager, WarehouseIOManager
from taxi_platform.orchestration.dbt import ModelsResource
from taxi_platform.orchestration.landing_resource import LandingResource
from taxi_platform.orchestration.resources import AssistantResource, DockerHub, DuckDBFile, ProductFile, ReportsResource
from taxi_platform.orchestration.trip_io import (
    PostgresIOManager,
    PostgresResource,
    RawFilesResource,
    TripFilesIOManager,
)
from taxi_platform.settings import CloudSettings, Settings, settings


def resources_for(settings: Settings) -> dict[str, object]:
    """Return every resource by the key under which assets ask for it."""
    # What may hold a password is given by reference, so that it never reaches the configuration that the UI shows.
    source = dg.EnvVar("TAXI_SOURCE") if "@" in settings.source else settings.source
    raw_files = RawFilesResource(source=source, folder=str(settings.data_dir / "raw"))
    postgres = PostgresResource(
        url=dg.EnvVar("TAXI_POSTGRES_URL") if settings.postgres_url else "",
        server_folder=str(settings.data_dir / "postgres"),
    )
    google = google_of(settings.cloud)
    landing = LandingResource(landing=settings.landing, own_folder=str(settings.data_dir / "landing"), google=google)
    return {
        "raw_files": raw_files,
        "trip_files": TripFilesIOManager(raw_files=raw_files),
        "database": postgres,
        "postgres": PostgresIOManager(postgres=postgres, on_bad_rows=settings.on_bad_rows),
        "dbt": ModelsResource(database=postgres, google=google, data_dir=str(settings.data_dir)),
        "landing": landing,
        "google": google,
        "gcs": LakeIOManager(google=google),
        "bigquery": WarehouseIOManager(google=google, on_bad_rows=settings.on_bad_rows),
        "docker_hub": DockerHub(base_url=settings.docker_hub_url),
        "assistant": AssistantResource(
            gemini_api_key=dg.EnvVar("GEMINI_API_KEY") if settings.gemini_api_key else "",
            chat_model=settings.chat_model,
            embedding_model=settings.embedding_model,
            file=str(settings.data_dir / "assistant.duckdb"),
        ),
        "product_file": ProductFile(
            source=dg.EnvVar("TAXI_PRODUCTS_URL") if "@" in settings.products_url else settings.products_url,
            path=str(settings.data_dir / "getting_started/products.json"),
        ),
        "reports": ReportsResource(
            database=postgres,
            folder=str(settings.data_dir / "reports"),
            schedule_timezone=settings.schedule_timezone,
        ),
        "duckdb_file": DuckDBFile(path=str(settings.data_dir / "getting_started/products.duckdb")),
    }


def google_of(settings: CloudSettings | None) -> CloudResource:
    """Return Google Cloud with the settings that exist; its use raises an error that names the missing ones."""
    if settings is None:
        return CloudResource()
    return CloudResource(
        project_id=settings.project_id,
        location=settings.location,
        bucket_name=settings.bucket_name,
        dataset=settings.dataset,
        creds=dg.EnvVar("GCP_CREDS") if settings.creds else "",
        storage_host=settings.storage_host,
        bigquery_host=settings.bigquery_host,
    )


@dg.definitions
def resources() -> dg.Definitions:
    """Define the resources from this process's settings, and the executor of every run.

    The steps of a run wait for each other, and every run has its own process, so a process for each step would only
    cost a second or two.
    """
    return dg.Definitions(resources=resources_for(settings()), executor=dg.in_process_executor)

"""The resources and I/O managers, made from the settings."""

from inspect import getdoc

import dagster as dg

from taxi_platform.assistant.gemini import configured_model
from taxi_platform.assistant.retrieval import Library
from taxi_platform.errors import missing_extras
from taxi_platform.orchestration.cloud_io import GoogleCloud, LakeIOManager, WarehouseIOManager
from taxi_platform.orchestration.dbt import Models
from taxi_platform.orchestration.resources import DockerHub, DuckDBFile, Landing, ProductFile
from taxi_platform.orchestration.trip_io import ExportsIOManager, PostgresIOManager, RawFiles, TripFilesIOManager
from taxi_platform.postgres.server import trips_server
from taxi_platform.reports.writing import Reports
from taxi_platform.settings import Settings, path_of, settings


def resources_for(settings: Settings) -> dict[str, object]:
    """Return every resource by the key under which assets use it."""
    folder = settings.data_dir
    raw_files = RawFiles(settings.source, folder / "raw")
    postgres = trips_server(settings)
    google = GoogleCloud(settings.cloud)
    return {
        "raw_files": raw_files,
        "trip_files": TripFilesIOManager(raw_files),
        "database": postgres,
        "postgres": PostgresIOManager(postgres, settings.allowed_bad_rows),
        "dbt": Models(postgres, google, folder),
        "exports": ExportsIOManager(postgres, exports_place(settings)),
        "landing": Landing(settings.landing, folder / "landing", google),
        "google": google,
        "gcs": LakeIOManager(google),
        "bigquery": WarehouseIOManager(google, raw_files, settings.allowed_bad_rows),
        "docker_hub": DockerHub(settings.docker_hub_url),
        "assistant": Library(folder / "assistant.duckdb", configured_model(settings)),
        "product_file": ProductFile(settings.products_url, folder / "getting_started/products.json"),
        "reports": Reports(postgres, folder / "reports", settings.schedule_timezone),
        "duckdb_file": DuckDBFile(folder / "getting_started/products.duckdb"),
    }


def exports_place(settings: Settings) -> str:
    """Return where months are exported: an address unchanged, a folder as an absolute path."""
    if "://" in settings.exports:
        return settings.exports
    return str(path_of(settings.exports).absolute() if settings.exports else settings.data_dir / "exports")


def without_configuration(resource: object) -> dg.ResourceDefinition:
    """Return a definition of a resource that refuses every configuration of a run.

    People who can start runs must not be able to redirect files, folders or addresses, and the UI must not show them:
    they may contain passwords.
    """
    if isinstance(resource, dg.IOManager):
        return dg.IOManagerDefinition(lambda _: resource, config_schema={}, description=getdoc(resource))
    return dg.ResourceDefinition(lambda _: resource, config_schema={}, description=getdoc(resource))


def _google(name: str) -> dg.ResourceDefinition:
    """Return the definition of one of dagster-gcp's resources, which is imported when an asset uses it."""

    def make(_: dg.InitResourceContext) -> object:
        with missing_extras():
            from taxi_platform.orchestration import google_resources

        return getattr(google_resources, name)()

    return dg.ResourceDefinition(make, config_schema={}, description="dagster-gcp's, with the platform's credentials.")


@dg.definitions
def resources() -> dg.Definitions:
    """Define the resources from this process's settings, and the executor: all steps of a run share one process."""
    definitions = {key: without_configuration(resource) for key, resource in resources_for(settings()).items()}
    # Dagster's default for what one step of a job hands to the next; a run could name the folder that it unpickles.
    pickles = dg.IOManagerDefinition(dg.FilesystemIOManager().create_io_manager, config_schema={})
    definitions["io_manager"] = pickles
    definitions |= {"google_bigquery": _google("PlatformBigQuery"), "google_storage": _google("PlatformStorage")}
    return dg.Definitions(resources=definitions, executor=dg.in_process_executor)

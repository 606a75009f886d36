"""The small resources: the course's flows and the landing place."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import dagster as dg

from taxi_platform.course.docker_hub import count_pulls
from taxi_platform.course.products import Product, read_products
from taxi_platform.errors import DatabaseRefused, InvalidSetting, NotPublished, disk_errors
from taxi_platform.operations.landing.places import LandingBucket, LandingFolder, LandingPlace
from taxi_platform.orchestration.cloud_io import GoogleCloud
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.redaction import redact
from taxi_platform.settings import path_of

if TYPE_CHECKING:
    import duckdb

DUCKDB_POOL = "duckdb"
"""The pool of every asset that writes to a DuckDB file, which only one process can open for writing."""


@dataclass(frozen=True)
class DockerHub:
    """Docker Hub, or a server that answers like it."""

    base_url: str

    def pulls(self, image: str) -> dg.MaterializeResult[Any]:
        """Count an image's pulls in this process."""
        with errors_as_failures():
            return dg.MaterializeResult(metadata=count_pulls(image, self.base_url))

    def isolated_pulls(self, context: dg.AssetExecutionContext, image: str) -> dg.MaterializeResult[Any]:
        """Count an image's pulls in a child process, which reads the server's address from the settings.

        Raises:
            dagster.Failure: Docker Hub gave no count; the message says why.
        """
        command = [sys.executable, "-I", "-m", "taxi_platform.course.docker_hub", "--", image]
        done = dg.PipesSubprocessClient().run(command=command, context=context)
        for reason in done.get_custom_messages():
            raise dg.Failure(reason)
        return cast("dg.MaterializeResult[Any]", done.get_materialize_result(implicit_materialization=False))


@dataclass(frozen=True)
class ProductFile:
    """The file in which the products are stored as their source, ``TAXI_PRODUCTS_URL``, has them."""

    source: str
    path: Path

    def fetch(self) -> list[Product]:
        """Fetch all products and replace the stored ones; a failure leaves those as they are."""
        products = read_products(self.source)
        part = self.path.with_name(f"{self.path.name}.{uuid4().hex}.part")
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(products, ensure_ascii=False), encoding="utf-8")
            part.replace(self.path)
        return products

    def stored(self) -> list[Product]:
        """Return the products of the last successful fetch.

        Raises:
            NotPublished: there has been none.
        """
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotPublished("products", f"{self.path} does not exist yet", "Materialize products first.") from None


@dataclass(frozen=True)
class DuckDBFile:
    """One database file, opened only for as long as something is read or written.

    dagster-duckdb opens it, and waits while another process has it. Its I/O manager is not used: it empties a table
    before it fills it, in two transactions, and cannot replace a table's columns.
    """

    path: Path

    @contextmanager
    def connect(self) -> "Generator[duckdb.DuckDBPyConnection, None, None]":
        """Open a connection and close it at the end of the block.

        Raises:
            DatabaseRefused: DuckDB refuses a statement, or another process has had the file open for 90 seconds.
        """
        import dagster_duckdb
        import duckdb  # here, because it would make the definitions slower to load

        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                dagster_duckdb.DuckDBResource(database=str(self.path)).get_connection() as opened,
                opened as connection,  # which is closed at the end
            ):
                yield connection
        except duckdb.Error as error:
            name, text = self.path.name, " ".join(str(error).split())
            advice = "What was there before is still there. If another process has the file open, close it there."
            raise DatabaseRefused(name, f"DuckDB refused ({text})", advice) from error


@dataclass(frozen=True)
class Landing:
    """Where trip files are dropped by hand: ``TAXI_LANDING``, or else a folder of our own, created when needed."""

    setting: str
    own_folder: Path
    google: GoogleCloud

    def place(self) -> LandingPlace:
        """Return the landing place.

        Raises:
            InvalidSetting: the setting is not a folder or ``gs://bucket/prefix``.
            CloudNotConfigured: the setting is a bucket, and Google Cloud's settings are missing.
        """
        if not self.setting:
            with disk_errors(self.own_folder):
                self.own_folder.mkdir(parents=True, exist_ok=True)
            return LandingFolder(self.own_folder)
        if self.setting.startswith("gs://"):
            return LandingBucket(self.google.cloud().storage, self.setting)
        if "://" in self.setting:
            what = "this kind of address is not supported"
            raise InvalidSetting(redact(f"TAXI_LANDING={self.setting}"), what, "Name a folder, or gs://bucket/prefix.")
        return LandingFolder(path_of(self.setting).absolute())


DockerHubResource = dg.ResourceParam[DockerHub]
ProductFileResource = dg.ResourceParam[ProductFile]
DuckDBResource = dg.ResourceParam[DuckDBFile]
LandingResource = dg.ResourceParam[Landing]

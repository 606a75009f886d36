"""The resource that fetches products and keeps them in a file, as they came."""

import json
import os
from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.course.getting_started.paging import Product
from taxi_platform.course.getting_started.source import read_products
from taxi_platform.errors import NotPublished, disk_errors


class ProductFile(dg.ConfigurableResource["ProductFile"]):
    """The products as their source has them, and the file in which they are kept."""

    source: str = Field(description="A URL, a JSON file, or sample, as TAXI_PRODUCTS_URL.")
    path: str = Field(description="Where they are kept.")

    def fetch(self) -> list[Product]:
        """Bring all products, in place of those of last time.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable, DamagedFile: as ``read_products`` says; what was kept stays.
            StorageFull: they cannot be written.
        """
        products = read_products(self.source)
        path = Path(self.path)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(json.dumps(products, ensure_ascii=False), encoding="utf-8")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return products

    def kept(self) -> list[Product]:
        """The products as they were fetched last.

        Raises:
            NotPublished: they never were.
        """
        try:
            return json.loads(Path(self.path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotPublished("products", f"there is no {self.path} yet", "Materialize products first.") from None

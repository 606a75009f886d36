"""Products from a web API, the columns one wants of them, and the average price of each brand."""

from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.course.getting_started.columns import keep
from taxi_platform.course.getting_started.metadata import (
    averages_metadata,
    averages_schema,
    kept_metadata,
    products_metadata,
)
from taxi_platform.course.getting_started.prices import AVERAGES, KEPT, averages, store_averages, store_kept
from taxi_platform.orchestration.duckdb_file import POOL, DuckDBFile
from taxi_platform.orchestration.getting_started_resource import ProductFile
from taxi_platform.orchestration.links import COURSE, PRODUCTS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures

GROUP = "getting_started"
OWNERS = ["team:data-engineering"]
LINKS = links("from-kestra.md", source=PRODUCTS, course=COURSE)


class ColumnsConfig(dg.Config):
    """What is kept of each product."""

    columns_to_keep: list[str] = Field(
        ["brand", "price"], description="Names of columns; N/A where a product has none."
    )


@dg.asset(
    description="All products of the web API, as they came.",
    group_name=GROUP,
    kinds={"json"},
    owners=OWNERS,
    metadata=LINKS,
)
def products(product_file: ProductFile) -> dg.MaterializeResult[Any]:
    """Every page of the list, or none of it."""
    with errors_as_failures():
        found = product_file.fetch()
    return dg.MaterializeResult(metadata=products_metadata(found, product_file.source, product_file.path))


@dg.asset(
    name=KEPT,
    deps=[products],
    description="The columns to keep of each product; N/A where a product has none.",
    group_name=GROUP,
    kinds={"pandas", "duckdb", "table"},
    owners=OWNERS,
    pool=POOL,
    metadata={**LINKS, "dagster/relation_identifier": f"products.main.{KEPT}"},
)
def products_kept(
    config: ColumnsConfig, product_file: ProductFile, duckdb_file: DuckDBFile
) -> dg.MaterializeResult[Any]:
    """The kept columns, in place of those of last time."""
    with errors_as_failures():
        kept = keep(product_file.kept(), config.columns_to_keep)
        with duckdb_file.connect() as connection:
            store_kept(connection, kept)
    return dg.MaterializeResult(metadata=kept_metadata(kept))


@dg.asset(
    name=AVERAGES,
    deps=[products_kept],
    description="The average price of each brand, the highest first. A product without a price (N/A) counts among the "
    "brand's products, and not in its average.",
    group_name=GROUP,
    kinds={"duckdb", "table"},
    owners=OWNERS,
    pool=POOL,
    metadata={
        **LINKS,
        "dagster/relation_identifier": f"products.main.{AVERAGES}",
        "dagster/column_schema": averages_schema(),
    },
)
def average_price_by_brand(duckdb_file: DuckDBFile) -> dg.MaterializeResult[Any]:
    """The averages of what is kept now."""
    with errors_as_failures(), duckdb_file.connect() as connection:
        store_averages(connection)
        stored = averages(connection)
    return dg.MaterializeResult(metadata=averages_metadata(stored))

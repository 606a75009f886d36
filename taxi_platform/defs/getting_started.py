"""Products from a web API, the columns to keep of them, and the average price of each brand."""

from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.course.previews import averages_metadata, kept_metadata, products_metadata
from taxi_platform.course.prices import AVERAGES, COLUMNS, KEPT, averages, store_averages, store_kept
from taxi_platform.course.products import keep
from taxi_platform.orchestration.links import COURSE, PRODUCTS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.resources import DUCKDB_POOL, DuckDBResource, ProductFileResource

GROUP = "getting_started"
OWNERS = ["team:data-engineering"]
LINKS = links("from-kestra.md", source=PRODUCTS, course=COURSE)


class ColumnsConfig(dg.Config):
    """Which columns are kept of each product."""

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
def products(product_file: ProductFileResource) -> dg.MaterializeResult[Any]:
    """Fetch every page of the list, or none of it."""
    with errors_as_failures():
        fetched = product_file.fetch()
    return dg.MaterializeResult(metadata=products_metadata(fetched, product_file.source, product_file.path))


@dg.asset(
    name=KEPT,
    deps=[products],
    description="The columns to keep of each product; N/A where a product has none.",
    group_name=GROUP,
    kinds={"pandas", "duckdb", "table"},
    owners=OWNERS,
    pool=DUCKDB_POOL,
    metadata={**LINKS, "dagster/relation_identifier": f"products.main.{KEPT}"},
)
def products_kept(
    config: ColumnsConfig, product_file: ProductFileResource, duckdb_file: DuckDBResource
) -> dg.MaterializeResult[Any]:
    """Replace the table of kept columns."""
    with errors_as_failures(), duckdb_file.connect() as connection:
        kept = keep(product_file.stored(), config.columns_to_keep)
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
    pool=DUCKDB_POOL,
    metadata={
        **LINKS,
        "dagster/relation_identifier": f"products.main.{AVERAGES}",
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(name, kind, description=text) for name, (kind, text) in COLUMNS.items()]
        ),
    },
)
def average_price_by_brand(duckdb_file: DuckDBResource) -> dg.MaterializeResult[Any]:
    """Compute the averages from the table of kept columns."""
    with errors_as_failures(), duckdb_file.connect() as connection:
        store_averages(connection)
        stored = averages(connection)
    return dg.MaterializeResult(metadata=averages_metadata(stored))

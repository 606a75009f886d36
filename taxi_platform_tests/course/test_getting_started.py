"""The graph ``getting_started``: products, the kept columns, the averages; and ``taxi getting-started``."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from taxi_platform.course.products import SAMPLE_FILE
from taxi_platform.defs.course import average_price_by_brand, products, products_kept
from taxi_platform.orchestration.resources import DUCKDB_POOL, DuckDBFile, ProductFile
from taxi_platform_tests.support.shell import instance, typed
from taxi_platform_tests.support.trip_server import Answer, TripServer

ASSETS = [products, products_kept, average_price_by_brand]
THINGS: list[dict[str, Any]] = [
    {"id": 1, "title": "a", "brand": "Long Haul", "price": 10},
    {"id": 2, "title": "b", "brand": "Long Haul", "price": 10.02},
    {"id": 3, "title": "c", "brand": "Long Haul"},
    {"id": 4, "title": "d", "price": 99.999},
    {"id": 5, "title": "e", "brand": "Unpriced", "price": None},
]


class Shop:
    """The graph with the test's own source and folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = str(folder / "things.json")
        self.database = folder / "products.duckdb"

    def write(self, content: object) -> None:
        Path(self.source).write_text(content if isinstance(content, str) else json.dumps(content))

    def run(self, *assets: dg.AssetsDefinition, keep: list[str] | None = None) -> dg.ExecuteInProcessResult:
        config = {"ops": {"products_kept": {"config": {"columns_to_keep": keep}}}} if keep is not None else {}
        return dg.materialize(
            list(assets or ASSETS),
            resources={
                "product_file": ProductFile(self.source, self.folder / "kept/products.json"),
                "duckdb_file": DuckDBFile(self.database),
            },
            run_config=config,
            raise_on_error=False,
        )

    def stored(self, table: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database)) as connection:
            return connection.execute(f"from {table}").fetchall()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write(THINGS)
    return shop


def recorded(done: dg.ExecuteInProcessResult, asset: dg.AssetsDefinition) -> dict[str, Any]:
    assert done.success
    (made,) = done.asset_materializations_for_node(asset.op.name)
    return {name: value.value for name, value in made.metadata.items()}


def failure(done: dg.ExecuteInProcessResult) -> str:
    (event,) = done.get_step_failure_events()
    described = event.step_failure_data.user_failure_data
    assert described, event.step_failure_data.error_display_string
    return described.description or ""


def cells(table: str) -> list[list[str]]:
    """Return the cells of each line of a table in Markdown."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def paged(server: TripServer, path: str = "/products", count: int = 250) -> str:
    """Serve a catalogue in pages of a hundred, and return its address."""
    things = [{"id": number, "brand": f"brand {number % 40}", "price": number} for number in range(count)]
    for skip in range(0, count, 100):
        page = {"products": things[skip : skip + 100], "total": count, "skip": skip, "limit": 100}
        server.publish(f"{path}?limit=100&skip={skip}", json.dumps(page).encode())
    return server.url + path


def test_the_ui_gets_previews_and_a_chart(shop: Shop) -> None:
    done = shop.run()
    assert recorded(done, products)["products"] == 5
    assert recorded(done, products)["source"] == shop.source
    assert ["N/A", "99.999"] in cells(recorded(done, products_kept)["preview"])
    shown = recorded(done, average_price_by_brand)
    assert ["Long Haul", "10.01", "3", "1"] in cells(shown["preview"])
    assert shown["chart"].startswith("![Average price by brand](data:image/svg+xml;base64,")
    assert (shown["brands"], shown["dagster/row_count"]) == (3, 3)


def test_all_pages_are_read_and_transient_failures_are_retried(shop: Shop, server: TripServer) -> None:
    shop.source = paged(server)
    server.script("/products?limit=100&skip=100", Answer(cut_after=50))
    server.script("/products?limit=100&skip=200", Answer(status=429, headers={"Retry-After": "0"}))
    assert recorded(shop.run(), products)["products"] == 250
    assert len(shop.stored("average_price_by_brand")) == 40
    assert [asked.path.partition("skip=")[2] for asked in server.requests] == ["0", "100", "100", "200", "200"]


def test_other_columns_replace_those_of_the_last_run(shop: Shop) -> None:
    assert shop.run(products, products_kept, keep=["price", "title"]).success
    assert shop.stored("products_kept")[0] == ("10", "a")
    assert shop.run(products_kept, keep=["id"]).success
    assert shop.stored("products_kept")[0] == (1,)


def test_an_unknown_column_is_named_with_the_existing_ones(shop: Shop) -> None:
    reason = failure(shop.run(products, products_kept, keep=["colour"]))
    assert reason == "columns_to_keep: no product has colour. The products have: id, title, brand, price."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"products": [{"brand"', "is not JSON, or only the beginning of it"),
        ("[]", "the list is empty"),
        ({"products": THINGS, "total": 194, "skip": 0}, "after 5 of 194 products come 0 more"),
    ],
)
def test_a_bad_file_is_refused_and_the_stored_products_stay(shop: Shop, content: object, problem: str) -> None:
    assert shop.run(products).success
    shop.write(content)
    assert problem in failure(shop.run(products))
    assert shop.run(products_kept).success
    assert [price for _, price in shop.stored("products_kept")] == ["10", "10.02", "N/A", "99.999", "N/A"]


@pytest.mark.parametrize("place", ["nowhere.json", "/", "http://127.0.0.1:1/products", "\0"])
def test_a_place_without_products_is_reported_with_what_to_do(shop: Shop, place: str, no_waits: list[float]) -> None:
    shop.source = place
    reason = failure(shop.run(products))
    assert reason.startswith("products: ")
    assert "set TAXI_PRODUCTS_URL=sample for the built-in products" in reason


def test_a_step_without_its_input_says_what_to_materialize(shop: Shop) -> None:
    assert "Materialize products first." in failure(shop.run(products_kept))
    assert "Materialize products_kept first." in failure(shop.run(average_price_by_brand))


def test_a_password_in_the_address_is_not_recorded(shop: Shop, server: TripServer) -> None:
    shop.source = paged(server).replace("//", "//ann:pa55word@")
    assert "pa55word" not in str(recorded(shop.run(products), products))


# The DuckDB file


@pytest.fixture
def holder(shop: Shop) -> Iterator["subprocess.Popen[str]"]:
    """Yield another process that has the database open."""
    program = (
        "import duckdb, sys\nwith duckdb.connect(sys.argv[1]):\n    print('open', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(shop.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_database_that_another_process_has_open_is_retried(
    shop: Shop, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        holder.communicate("")

    monkeypatch.setattr("dagster._utils.backoff.time.sleep", wait)
    assert shop.run(products, products_kept).success
    assert waits


def test_a_database_that_stays_open_in_another_process_is_reported_with_its_pid(
    shop: Shop, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster._utils.backoff.time.sleep", lambda _: None)
    reason = failure(shop.run(products, products_kept))
    assert "products.duckdb: DuckDB refused (IO Error: Could not set lock on file" in reason
    assert reason.endswith("If another process has the file open, close it there.")
    assert str(holder.pid) in reason


def test_the_pool_of_its_writers_allows_one_run_at_a_time(database: str) -> None:
    with instance(database) as opened:
        (limit,) = opened.event_log_storage.get_pool_limits()
        # A limit that came from the default would change with dagster.yaml.
        assert (limit.name, limit.limit, limit.from_default) == (DUCKDB_POOL, 1, False)
    for writer in (products_kept, average_price_by_brand):
        assert writer.op.pool == DUCKDB_POOL


# The command


def test_the_command_runs_the_graph_offline_and_prints_the_table(database: str, tmp_path: Path) -> None:
    settings = {"TAXI_POSTGRES_URL": database, "TAXI_PRODUCTS_URL": "http://127.0.0.1:1/products"}
    done = typed("taxi getting-started", tmp_path, **settings)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "Asking for products: http://127.0.0.1:1/products"
    assert lines[1].startswith("They cannot be fetched: products: http://127.0.0.1:1/products")
    assert lines[2] == "Using the included sample instead; its products are made up."
    table = [line.split() for line in lines if line.startswith(("Long Haul", "N/A", "Unpriced"))]
    assert table == [
        ["Long", "Haul", "83.60", "3", "0"],
        ["N/A", "11.29", "4", "0"],
        ["Unpriced", "Instruments", "N/A", "1", "1"],
    ]
    assert f"{tmp_path}/getting_started/products.duckdb" in done.stdout


def test_the_command_prints_why_it_failed(database: str, tmp_path: Path) -> None:
    (tmp_path / "things.json").write_text("[]")
    settings = {"TAXI_POSTGRES_URL": database, "TAXI_PRODUCTS_URL": str(tmp_path / "things.json")}
    done = typed("taxi getting-started", tmp_path, **settings)
    assert done.returncode == 1
    assert "failed: products: the list is empty. " in done.stdout
    assert "Traceback" not in done.stdout


def test_the_sample_is_complete_and_lacks_a_brand_and_a_price() -> None:
    sample = json.loads(SAMPLE_FILE.read_text(encoding="utf-8"))
    assert sample["total"] == len(sample["products"]) == 25
    assert any("brand" not in product for product in sample["products"])
    assert any("price" not in product for product in sample["products"])

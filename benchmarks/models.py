"""The time that dbt takes for a month: against its load, for a small month, and with two years in the database."""

import json
from collections.abc import Iterator
from statistics import median
from urllib.parse import urlsplit

from benchmarks.pairs import Run, in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.frames import Rows, replace_table
from taxi_platform.postgres.loader import load_month
from taxi_platform.sources.sample import ZONES
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import YELLOW
from taxi_platform.trips.zones import COLUMNS, TABLE, read_zones

MONTH = Month(2019, 1)
ROWS, MOST_SECONDS = 500, 12.0
_MATERIALIZE = ("-m", "dagster", "asset", "materialize", "-m", "taxi_platform.definitions")
SMALL = [MONTH.plus(offset) for offset in (24, 25)]
MOST_LOADS = 3.0
OTHERS = [MONTH.plus(offset) for offset in range(1, 24)]
SHARE = 10  # the other months have a tenth of the month's rows, so that they fit on a laptop's disk
RATIO = 1.2


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare builds of one month of ``fct_trips`` in databases with one month and with twenty-four months."""
    alone, among = (_database(bench, rows, others) for others in ((), OTHERS))
    pairs = in_pairs(_building(bench, among), _building(bench, alone), count)
    ratios = [1 / speedup for speedup in pairs.speedups]
    with connect(among) as connection:
        found = execute(
            connection, f"select count(*), count(distinct file_month) from {MODELS_SCHEMA}.fct_trips"
        ).fetchone()
    assert found == (rows + len(OTHERS) * (rows // SHARE), 1 + len(OTHERS))
    for url in (alone, among):
        with connect(bench.url) as connection:
            execute(connection, f"drop database {urlsplit(url).path[1:]} with (force)")
    yield Finding(
        f"`fct_trips` of one month of {rows:,} rows built again, with 24 months in the database against 1",
        f"≤ {RATIO} times its time",
        f"{spread(ratios)} times",
        median(ratios) <= RATIO,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s, as dbt reports them; "
        f"the other months have {rows // SHARE:,} rows each",
    )


def measure_small_month(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Measure a command that builds every model of a small month with its tests; the first run is not counted."""
    bench.file(YELLOW, MONTH, ROWS)
    (bench.published / f"{TABLE}.csv").write_bytes(ZONES.read_bytes())
    bench.run(*_MATERIALIZE, "--select", TABLE)
    _load(bench, MONTH)
    seconds = [_build(bench, MONTH) for _ in range(count + 1)][1:]
    _forget_models(bench)
    yield Finding(
        f"dagster asset materialize of every model of a month of {ROWS} rows, with the tests",
        f"≤ {MOST_SECONDS:.0f} s",
        f"{spread(seconds)} s",
        median(seconds) <= MOST_SECONDS,
        "the whole process; one process of dbt is part of it",
    )


def measure_month(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare building every model of a month with its tests, less the time of a small month, with its load."""
    loads: list[float] = []
    builds: list[float] = []
    for month in (MONTH, *SMALL):
        bench.file(YELLOW, month, rows if month == MONTH else ROWS)
    (bench.published / f"{TABLE}.csv").write_bytes(ZONES.read_bytes())
    for _ in range(count):
        _forget_models(bench)
        bench.empty()
        bench.run(*_MATERIALIZE, "--select", TABLE)
        loaded = [_load(bench, month) for month in (*SMALL, MONTH)]
        _build(bench, SMALL[0])  # the first build creates the views and dimensions
        small = _build(bench, SMALL[1])
        with connect(bench.url) as connection:  # as autovacuum does within a minute of the load
            execute(connection, f"analyze {tables.partition_of(YELLOW, MONTH)}")
        loads.append(loaded[-1])
        builds.append(_build(bench, MONTH) - small)
    _forget_models(bench)
    ratios = [build / load for build, load in zip(builds, loads, strict=True)]
    yield Finding(
        f"every model of a month of {rows:,} rows with the tests, less the time of a month of {ROWS} rows",
        f"≤ {MOST_LOADS} times its load",
        f"{spread(ratios)} times",
        median(ratios) <= MOST_LOADS,
        f"{spread(builds, '{:.1f}')} s against {spread(loads, '{:.1f}')} s",
    )


def _build(bench: Workbench, month: Month) -> float:
    return bench.seconds(*_MATERIALIZE, "--select", "group:models", "--partition", str(month))


def _load(bench: Workbench, month: Month) -> float:
    places = (str(bench.published), str(bench.folder / "raw"))
    return json.loads(bench.run("-m", "benchmarks.load_once", YELLOW.name, str(month), *places))["seconds"]


def _forget_models(bench: Workbench) -> None:
    """Drop the models, whose views read the tables of the trips."""
    with connect(bench.url) as connection:
        execute(connection, f"drop schema if exists {MODELS_SCHEMA} cascade")


def _database(bench: Workbench, rows: int, others: "tuple[Month, ...] | list[Month]") -> str:
    """Create a database with the zones, the month and the other months, and build every model in it."""
    name = f"models_{len(others)}"
    with connect(bench.url) as connection:
        execute(connection, f"create database {name}")
    url = urlsplit(bench.url)._replace(path=f"/{name}").geturl()
    lookup = bench.folder / "taxi_zone_lookup.csv"
    lookup.write_bytes(ZONES.read_bytes())
    types = {name: kind for name, (kind, _) in COLUMNS.items()}
    replace_table(url, TABLE, Rows(types, read_zones(lookup)), "The zones.", {})
    for month in (MONTH, *others):
        load_month(url, bench.file(YELLOW, month, rows if month == MONTH else rows // SHARE))
    _dbt(bench, url, "build")
    return url


def _building(bench: Workbench, url: str) -> Run:
    def build() -> float:
        with connect(url) as connection:
            execute(connection, "checkpoint")
        return _dbt(bench, url, "run", "--select", "fct_trips", "--vars", json.dumps({"months": [str(MONTH)]}))

    return build


def _dbt(bench: Workbench, url: str, *arguments: str) -> float:
    """Run dbt, and return the seconds that its last model took."""
    environment = {**bench.environment, "TAXI_POSTGRES_URL": url}
    Workbench(bench.folder, url, bench.psql, environment).run("-m", "benchmarks.one_build", *arguments)
    results = json.loads((bench.folder / "dbt/by-hand/postgres/run_results.json").read_bytes())["results"]
    return results[-1]["execution_time"]

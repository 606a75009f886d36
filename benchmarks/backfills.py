"""A long backfill through daemon and queue against one of empty assets, and the speed of ``taxi status``."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

import yaml

from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW

FIRST, LAST = Month(2019, 1), Month(2021, 7)
ROWS = 10_000
SERVICES = (GREEN, YELLOW)
LOCATIONS = ("taxi_platform.definitions", "benchmarks.trivial_months")
MOST_OF_FLOOR, MOST_SECONDS_OF_STATUS = 1.3, 1.0
START_SECONDS = 120.0

_OURS = ("-m", "benchmarks.one_backfill", LOCATIONS[0], *(service.table for service in SERVICES))
_FLOOR = ("-m", "benchmarks.one_backfill", LOCATIONS[1], "trivial_green", "trivial_yellow")


def measure(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Compare 31 months of two services, with nothing cached, with assets that do nothing in the same daemon."""
    for service in SERVICES:
        for month in FIRST.through(LAST):
            bench.publish(service, month, ROWS)
    reported: dict[str, list[dict[str, float]]] = {"ours": [], "floor": []}

    def backfill(name: str, *arguments: str) -> float:
        shutil.rmtree(bench.folder / "raw", ignore_errors=True)
        bench.empty()
        reported[name].append(json.loads(bench.run(*arguments).splitlines()[-1]))
        return reported[name][-1]["whole"]

    with _daemon(bench):
        pairs = in_pairs(lambda: backfill("ours", *_OURS), lambda: backfill("floor", *_FLOOR), count)
    months = len(SERVICES) * len(list(FIRST.through(LAST)))
    ratios = [ours / floor for ours, floor in zip(pairs.ours, pairs.other, strict=True)]
    ours, floor = ([one["working"] for one in reported[name][1:]] for name in ("ours", "floor"))
    yield Finding(
        f"{months} months of {ROWS:,} rows, fetched and loaded through daemon and queue, from the request to the last "
        "record, against assets that do nothing",
        f"≤ {MOST_OF_FLOOR} of their time",
        spread(ratios),
        median(ratios) <= MOST_OF_FLOOR,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {median(pairs.ours) / months:.2f} s a month, "
        f"{median(pairs.other) / months:.2f} s of them Dagster's; without the wait for the daemon's tick, "
        f"{spread(ours)} s against {spread(floor)} s",
    )


def measure_status(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Time ``taxi status`` of many months among tens of thousands of events, without the imports."""
    settings = {"TAXI_SOURCE": "sample:0.0001", "TAXI_FIRST_MONTH": "2014-01", "TAXI_LAST_MONTH": "2021-10"}
    configured = replace(bench, environment={**bench.environment, **settings})
    bench.empty()
    found = json.loads(configured.run("-m", "benchmarks.one_status", str(count)).splitlines()[-1])
    yield Finding(
        f"taxi status on {found['months']} months among {found['events']:,} events, after the imports",
        f"< {MOST_SECONDS_OF_STATUS} s",
        f"{spread(found['seconds'])} s",
        median(found["seconds"]) < MOST_SECONDS_OF_STATUS,
        f"{spread(found['processor'])} s of the processor; opening the instance takes {found['opening']:.2f} s of it",
    )


@contextmanager
def _daemon(bench: Workbench) -> Generator[None]:
    """Start a daemon with our code location and a trivial one, each in its own code server."""
    workspace = bench.folder / "workspace.yaml"
    modules = [{"python_module": {"module_name": name, "location_name": name.partition(".")[0]}} for name in LOCATIONS]
    workspace.write_text(yaml.safe_dump({"load_from": modules}))
    with (bench.folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
            env=bench.environment,
            cwd=PROJECT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "configured with the following daemons" not in (bench.folder / "daemon.log").read_text():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((bench.folder / "daemon.log").read_text())
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

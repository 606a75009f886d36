"""Brings months into every state that they can have, by the steps that lead to it in real use.

| month | green | yellow | fhv, by HTTP |
|---|---|---|---|
| 2018-12 | | | loaded, then excluded by the settings |
| 01 | loaded, raw file purged | loaded by the sensor of new months | loaded |
| 02 | loaded | loaded, then only a newer raw file was fetched | loaded |
| 03 | loaded, then another file was dropped | loaded, rows deleted by hand, not checked since | |
| 04 | loaded, rows deleted by hand, then checked | published, never requested | |
| 05 | loaded, partition dropped | requested, failed: a damaged file | |
| 06 | loaded, partition detached | requested, failed: a foreign header; then another version was published | |
| 07 | loaded, partition truncated | loaded, bad rows among the rejects | |
| 08 | loaded, with rows that break every rule; then another version was published | loaded, a file of quoted values | |
| 09 | failed: not in the source | its run was cancelled | |
| 10 | its run is started | its run is started, and its process was killed | |
| 11 | in a Dagster backfill without runs | dropped, its run is starting | |
| 12 | missing | dropped, and not seen by the sensor yet | |

The zones and, from January to March, the models were built before anything was deleted by hand.
"""

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._daemon.types import DaemonHeartbeat

from taxi_platform_tests.golden.archive import NO_PROCESS
from taxi_platform_tests.golden.files import HEADERS, Published, content, odd_rows, rows
from taxi_platform_tests.golden.location import Location
from taxi_platform_tests.golden.publisher import Publisher

NEW_MONTHS, LANDING = "new_month_sensor", "landing_sensor"
DAY = 86_400.0
FHV = ("2018-12", "2019-01", "2019-02")


def published_by_http() -> Mapping[str, bytes]:
    """Return the files that are published by HTTP, by name."""
    return {f"fhv_tripdata_{month}.csv.gz": content("fhv", rows("fhv", month, 5)) for month in FHV}


@dataclass
class Scenario:
    """The steps, run with the code of version 0.1.

    Attributes:
        on: the code location.
        source: the source folder.
        server: publishes the files of fhv.
        cursors: the sensors' cursors after their last ticks.
    """

    on: Location
    source: Published
    server: Publisher
    cursors: dict[str, str] = field(default_factory=dict[str, str])

    def play(self) -> None:
        """Run all steps."""
        self.green_is_loaded()
        self.new_months_appear()
        self.fhv_comes_by_http()
        self.files_are_dropped()
        self.models_are_built()
        self.yellow_is_unusual()
        self.green_is_damaged()
        self.green_is_in_progress()

    def green_is_loaded(self) -> None:
        self.source.publish_zones()
        assert self.on.materialize("taxi_zone_lookup").success
        for n in range(1, 8):
            self.source.publish("green", f"2019-0{n}", rows("green", f"2019-0{n}", 10 + n))
        suspicious = [*rows("green", "2019-08", 4), *odd_rows("green", "2019-08", 14)]
        self.source.publish("green", "2019-08", suspicious)
        self.backfill("green", "2019-01..2019-08")
        raw = sorted((self.on.data / "raw/green").glob("*.gz"), key=lambda path: path.stat().st_mtime_ns)
        limit = sum(path.stat().st_size for path in raw) - 1
        with self.on.using(TAXI_KEEP_RAW_GB=str(limit / 1e9)):
            assert self.on.run_job("raw_purge_job").success
        assert not raw[0].exists()
        assert raw[0].name == "green_tripdata_2019-01.csv.gz"
        assert raw[1].exists()

    def new_months_appear(self) -> None:
        for n in range(1, 4):
            self.source.publish("yellow", f"2019-0{n}", rows("yellow", f"2019-0{n}", 12 + n))
        assert self.tick_and_run(NEW_MONTHS) == [True] * 3
        self.source.publish("yellow", "2019-05", content("yellow", rows("yellow", "2019-05", 9))[:-20])
        self.source.publish("yellow", "2019-06", gzip.compress(b"one,two\r\n1,2\r\n", mtime=0))
        assert self.tick_and_run(NEW_MONTHS) == [False] * 2
        self.source.publish("yellow", "2019-06", rows("yellow", "2019-06", 16))
        self.source.publish("yellow", "2019-04", rows("yellow", "2019-04", 14))

    def fhv_comes_by_http(self) -> None:
        with self.on.using(TAXI_SOURCE=self.server.template, TAXI_FIRST_MONTH=FHV[0]):
            self.backfill("fhv", f"{FHV[0]}..{FHV[-1]}")

    def files_are_dropped(self) -> None:
        self.drop("green_tripdata_2019-03.csv.gz", content("green", rows("green", "2019-03", 6, first=100)))
        self.drop("notes.txt", b"not a trip file")
        assert self.tick_and_run(LANDING) == [True]
        assert self.tick_and_run(LANDING) == []
        assert sorted(path.name for path in (self.on.data / "landing").glob("*/*")) == [
            "green_tripdata_2019-03.csv.gz",
            "notes.txt",
            "notes.txt.reason.txt",
        ]
        self.drop("yellow_tripdata_2019-11.csv.gz", content("yellow", rows("yellow", "2019-11", 7)))
        (request,) = self.tick(LANDING)
        self.on.instance.create_run_for_job(
            self.on.definitions.resolve_job_def(str(request.job_name)).get_subset(asset_selection=_assets(request)),
            run_config=request.run_config,
            tags={
                **request.tags,
                "dagster/partition": str(request.partition_key),
                "dagster/sensor_name": LANDING,
                "dagster/run_key": str(request.run_key),
            },
            status=dg.DagsterRunStatus.STARTING,
            asset_selection=frozenset(_assets(request)),
        )
        self.drop("yellow_tripdata_2019-12.csv.gz", content("yellow", rows("yellow", "2019-12", 8)))

    def models_are_built(self) -> None:
        assert self.on.materialize(*self.on.group("models"), first="2019-01", last="2019-03").success

    def yellow_is_unusual(self) -> None:
        self.source.publish("yellow", "2019-02", rows("yellow", "2019-02", 17))
        assert self.on.materialize("raw/yellow_tripdata", first="2019-02").success
        two = "select ctid from yellow_tripdata_2019_03 limit 2"
        self.on.execute(f"delete from yellow_tripdata_2019_03 where ctid in ({two})")
        bad = rows("yellow", "2019-07", 13)
        bad[3] = bad[3].replace(":10:07", ":10:99")
        bad[8] += ",surplus"
        self.source.publish("yellow", "2019-07", bad)
        with self.on.using(TAXI_ON_BAD_ROWS="quarantine", TAXI_MAX_BAD_ROWS="0.5"):
            self.backfill("yellow", "2019-07")
        quoted = [",".join(f'"{value}"' for value in line.split(",")) for line in rows("yellow", "2019-08", 11)]
        text = "\n".join([HEADERS["yellow"].lower(), *quoted]).encode()
        self.source.publish("yellow", "2019-08", gzip.compress(text, mtime=0))
        self.backfill("yellow", "2019-08")
        self.source.publish("yellow", "2019-09", rows("yellow", "2019-09", 9))
        cancelled = self.create_run("yellow_tripdata", "2019-09")
        self.on.instance.report_run_canceled(cancelled)

    def green_is_damaged(self) -> None:
        self.on.execute(
            "delete from green_tripdata_2019_04 where passenger_count = 1 and vendorid = '1'",
            "alter table green_tripdata detach partition green_tripdata_2019_05",
            "drop table green_tripdata_2019_05",
            "alter table green_tripdata detach partition green_tripdata_2019_06",
            "truncate green_tripdata_2019_07",
        )
        months = {"green_tripdata_checks": {"config": {"months": ["2019-04"]}}}
        assert not self.on.run_job("green_tripdata_checks_job", months).success
        self.source.publish("green", "2019-08", rows("green", "2019-08", 21))
        assert self.on.command("backfill", "green", "2019-09").exit_code == 1

    def green_is_in_progress(self) -> None:
        self.create_run("green_tripdata", "2019-10", dg.DagsterRunStatus.STARTED)
        self.record_heartbeat(0.0)
        self.request_backfill("green", "2019-11")
        self.record_heartbeat(DAY)  # so that the daemon counts as stopped whenever the questions are asked
        # This comes last, because the command marks such runs as failed.
        killed = {"taxi/process": f"{socket.gethostname()}/0123456789ab"}
        run = self.create_run("yellow_tripdata", "2019-10", dg.DagsterRunStatus.STARTED, killed)
        heartbeat = json.dumps({"host": socket.gethostname(), "pid": NO_PROCESS, "beat": 3})
        self.on.instance.run_storage.set_cursor_values({f"taxi_platform/sign_of_life/{run.run_id}": heartbeat})

    def backfill(self, services: str, months: str) -> None:
        done = self.on.command("backfill", services, months)
        assert done.exit_code == 0, done.output

    def tick(self, sensor: str) -> list[dg.RunRequest]:
        answer = self.on.tick(sensor, self.cursors.get(sensor))
        self.cursors[sensor] = answer.cursor or self.cursors.get(sensor, "")
        return list(answer.run_requests or [])

    def tick_and_run(self, sensor: str) -> list[bool]:
        """Evaluate a sensor, execute its requests, and return which runs succeeded."""
        return [self.on.run_request(request, sensor).success for request in self.tick(sensor)]

    def drop(self, name: str, data: bytes) -> None:
        """Put a file with an old modification time into the landing folder."""
        path = self.on.data / "landing" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        at = 1_650_000_000_123_456_789 + sum(name.encode()) * 10**9
        os.utime(path, ns=(at, at))

    def create_run(
        self,
        table: str,
        month: str,
        status: dg.DagsterRunStatus = dg.DagsterRunStatus.NOT_STARTED,
        tags: Mapping[str, str] | None = None,
    ) -> dg.DagsterRun:
        """Record a run that loads a month of a table, without executing it."""
        span = {"dagster/asset_partition_range_start": month, "dagster/asset_partition_range_end": month}
        asset = frozenset([dg.AssetKey(table)])
        job = self.on.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(asset))
        return self.on.instance.create_run_for_job(
            job, tags={**span, **(tags or {})}, status=status, asset_selection=asset
        )

    def record_heartbeat(self, seconds_ago: float) -> None:
        self.on.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, "BACKFILL", "a daemon", []))

    def request_backfill(self, service: str, months: str) -> None:
        """Request a Dagster backfill by ``taxi backfill``, and kill the command; no daemon runs that would start it."""
        command = [sys.executable, "-c", "from taxi_platform.cli.main import taxi; taxi()", "backfill", service, months]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            assert any("daemon loads them" in line for line in process.stdout)
            process.kill()


def _assets(request: dg.RunRequest) -> set[dg.AssetKey]:
    return set(request.asset_selection or [])

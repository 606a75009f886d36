"""``taxi demo``: a year of trips through the platform's own assets, and what it did in a few lines."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxi_platform.failures import TaxiError
from taxi_platform.months import Month
from taxi_platform.services import GREEN, SERVICES, Service
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, JobDefinition

Say = Callable[[str], None]

SAMPLE_FOLDER = "sample"
SCALE = 0.05  # 5.6 million trips: enough to see, few enough for two minutes on two cores
FIRST, LAST = Month(2019, 1), Month(2019, 12)
ZONES = "taxi_zone_lookup"
URLS = ("TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL")  # databases of one's own, which made-up trips stay out of


@dataclass(frozen=True)
class Outcome:
    """What became of one asset in the demo.

    Attributes:
        asset: its key.
        files: how many files are in its table now.
        unchanged: how many of them were there before.
        rows: the rows of these files.
        seconds: how long its run took.
        failures: why it failed, if it did.
    """

    asset: str
    files: int
    unchanged: int
    rows: int
    seconds: float
    failures: Sequence[str] = ()

    @property
    def story(self) -> str:
        """What happened, for the line of the summary."""
        if self.files and self.unchanged == self.files:
            return f"were already there ({self.files} months, checked in {self.seconds:.1f} s)"
        before = f", {self.unchanged} of {self.files} months were already there" if self.unchanged else ""
        return f"in {self.seconds:5.1f} s, {self.rows / self.seconds:>9,.0f} rows/s{before}"


def run_demo(say: Say, scale: float = SCALE) -> bool:
    """Load 2019 and the zones, and say what was done, where it is and what to type next.

    Args:
        say: where that is told.
        scale: how many trips the sample makes for one of the real order, when it has to stand in.

    Returns:
        Whether everything was loaded.
    """
    services = _choose(say, scale)
    started = time.monotonic()
    outcomes = list(_materialize(services, say))
    _summarize(outcomes, time.monotonic() - started, say)
    return not any(outcome.failures for outcome in outcomes)


def _choose(say: Say, scale: float) -> Sequence[Service]:
    """Ask the real source; when it is out of reach, turn this process to the sample, in a folder of its own."""
    from taxi_platform.sources.brief import ask_briefly
    from taxi_platform.sources.http.addresses import public

    say(f"Asking the source for {GREEN.file_name(FIRST)}: {public(settings().source)}")
    try:
        ask_briefly(settings().source, GREEN, FIRST)
    except TaxiError as error:
        say(f"It cannot be had: {error}")
        say("So this is the built-in sample (made-up trips in the shape of the real ones), kept apart from real ones.")
    else:
        say("It answers: loading the green trips of 2019 from there.")
        return [GREEN]
    folder = settings().data_dir / SAMPLE_FOLDER
    os.environ |= {"TAXI_SOURCE": f"sample:{scale}", "TAXI_DATA_DIR": str(folder), **dict.fromkeys(URLS, "")}
    settings.cache_clear()
    _use_instance(folder / "dagster")
    return list(SERVICES.values())


def _use_instance(home: Path) -> None:
    from taxi_platform.settings import PROJECT

    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.symlink_to(PROJECT / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)


def _materialize(services: Sequence[Service], say: Say) -> Iterator[Outcome]:
    import dagster as dg

    from taxi_platform.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        yield _run(job, instance, ZONES, {})
        for service in services:
            say(f"{service.table}: loading {FIRST} to {LAST} …")
            span = {"dagster/asset_partition_range_start": str(FIRST), "dagster/asset_partition_range_end": str(LAST)}
            yield _run(job, instance, service.table, span)


def _run(job: "JobDefinition", instance: "DagsterInstance", asset: str, tags: dict[str, str]) -> Outcome:
    """One run of one asset on the lasting instance, so that the UI shows it afterwards."""
    import dagster as dg

    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(asset)],
        tags=tags,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    # From the instance: the result leaves out what a step that failed has recorded on its way.
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = [entry.asset_materialization for entry in entries if entry.asset_materialization]
    made = [record.metadata for record in records if record.asset_key == dg.AssetKey(asset)]
    counts = [one.get("dagster/partition_row_count") or one["dagster/row_count"] for one in made]
    return Outcome(
        asset=asset,
        files=len(made),
        unchanged=sum("unchanged" in one and bool(one["unchanged"].value) for one in made),
        rows=sum(cast("int", count.value) for count in counts),
        seconds=time.monotonic() - started,
        failures=[_reason(event) for event in result.get_step_failure_events()],
    )


def _reason(event: "DagsterEvent") -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return failure.error_display_string


def _summarize(outcomes: Sequence[Outcome], seconds: float, say: Say) -> None:
    say("")
    for outcome in outcomes:
        say(f"  {outcome.asset:<17}{outcome.rows:>12,} rows {outcome.story}")
        for failure in outcome.failures:
            say(f"    failed: {failure}")
    rows = sum(outcome.rows for outcome in outcomes)
    say(f"  {'in all':<17}{rows:>12,} rows in {seconds:.1f} s")
    data = settings().data_dir
    say(f"\nWhere it is: PostgreSQL {_address()}, raw files and Dagster's state under {data}")
    say("What to type next:")
    say(". .venv/bin/activate")
    if data.name == SAMPLE_FOLDER:
        source = " ".join([f"TAXI_SOURCE={settings().source}", *(f"{name}=" for name in URLS)])
        say(f"export {source} TAXI_DATA_DIR={data} DAGSTER_HOME={data}/dagster")
    say("dagster dev       # the graph, every month and every run, on http://127.0.0.1:3000")
    say("taxi psql         # e.g. select filename, rows_loaded from tripdata_files;")
    say("make stop         # PostgreSQL goes on running until then")


def _address() -> str:
    """Where the database is, without its password."""
    from urllib.parse import urlsplit

    from taxi_platform.postgres.embedded.server import EmbeddedServer

    url = settings().postgres_url
    parts = urlsplit(url.get_secret_value() if url else EmbeddedServer(settings().data_dir / "postgres").url())
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"

"""The questions, and the replacement of run ids, times, ports and paths, which makes their answers comparable.

States, names and numbers must stay the same. Of sentences, only whether there is one is compared.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from bs4 import BeautifulSoup

from taxi_platform.cli.main import taxi
from taxi_platform_tests.golden.archive import Restored
from taxi_platform_tests.golden.location import Location

FOLDER = Path(__file__).parent / "answers"
SERVICES = ("green", "yellow", "fhv")

# A line of ``taxi backfill --dry-run``.
_PLANNED = re.compile(r"^  (?P<service>[a-z]+) +(?P<month>\d{4}-\d\d)  (?P<reason>\w+(?: \w+)*)(?P<note>  .*)?$")
_COUNTED = re.compile(r"(\d+) months? to load")
PLANS = {
    "all that is missing": "green,yellow,fhv 2019-01..2019-12",
    "what failed": "green,yellow,fhv .. --failed",
    "everything": "green,yellow .. --all",
    "newest first": "yellow 2019-03..2019-09 --newest-first",
    "one month": "green 2019-12",
    "with the source asked": "green,yellow,fhv ..2019-08 --ask-source",
    "no such service": "purple 2019-01",
    "no such month": "green 2019-13",
    "no partition": "green 2031-01",
}
# Subjects of ``taxi doctor`` whose findings depend on the data, not on the machine.
SUBJECTS = ("settings", "source", "PostgreSQL", "Dagster's home", "code location", "daemons", "alerts")

# The page's table that consists of sentences.
SENTENCES = "Questions and answers"


def status(on: Location, at: Restored) -> Any:
    """Return what ``taxi status --json`` prints."""
    commands = (["status", "--json"], ["status", "--json", "--ask-source"])
    return {" ".join(command): _status(json.loads(on.command(*command).stdout)) for command in commands}


def _status(shown: Mapping[str, Any]) -> Any:
    return {
        **{name: value for name, value in shown.items() if name not in ("services", "remarks")},
        "remarks": len(shown["remarks"]),
        "services": {
            name: {
                **service,
                "last_run": service["last_run"] is not None,
                "months": {
                    month: {
                        **facts,
                        **{name: facts[name] is not None for name in ("run_id", "at")},
                        "note": bool(facts["note"]),
                    }
                    for month, facts in service["months"].items()
                },
            }
            for name, service in shown["services"].items()
            if name in SERVICES
        },
    }


def plans(on: Location, at: Restored) -> Any:
    """Return the months that ``taxi backfill`` would load, in order, with the reasons."""
    return {name: _plan(on, arguments) for name, arguments in PLANS.items()}


def _plan(on: Location, arguments: str) -> Any:
    done = on.command("backfill", *arguments.split(), "--dry-run")
    lines = [match for line in done.output.splitlines() if (match := _PLANNED.match(line))]
    counted = _COUNTED.search(done.output)
    return {
        "exit_code": done.exit_code,
        "months": [
            " ".join([line["service"], line["month"], line["reason"].strip(), *(["(noted)"] if line["note"] else [])])
            for line in lines
            if line["service"] in SERVICES
        ],
        "counted": counted and int(counted[1]),
    }


def new_months(on: Location, at: Restored) -> Any:
    """Return the requests of ``new_month_sensor``: without a cursor, and with the cursor of its last tick."""
    return {
        name: _tick(on, at, "new_month_sensor", cursor)
        for name, cursor in (("first tick", None), ("next tick", at.manifest["cursors"]["new_month_sensor"]))
    }


def landing(on: Location, at: Restored) -> Any:
    """Return the requests of ``landing_sensor``, and where the files are after the tick."""
    tick = _tick(on, at, "landing_sensor", at.manifest["cursors"]["landing_sensor"])
    folder = on.data / "landing"
    return {**tick, "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())}


def _tick(on: Location, at: Restored, sensor: str, cursor: str | None) -> Any:
    answer = on.tick(sensor, cursor)
    return {
        "requests": [
            {
                "job": request.job_name,
                "partition": request.partition_key,
                "run_key": _placed(str(request.run_key), on, at),
                "assets": sorted(key.to_user_string() for key in request.asset_selection or []),
                "tags": {name: _placed(value, on, at) for name, value in request.tags.items()},
                "config": json.loads(_placed(json.dumps(request.run_config), on, at)),
            }
            for request in answer.run_requests or []
        ],
        "says why it skips": bool(answer.skip_message),
        "cursor": _cursor(json.loads(answer.cursor), on, at),
    }


def _cursor(part: Any, on: Location, at: Restored) -> Any:
    """Replace the times of ticks in a cursor."""
    if isinstance(part, dict):
        return {name: "<time>" if name == "at" and value else _cursor(value, on, at) for name, value in part.items()}
    return _placed(part, on, at) if isinstance(part, str) else part


def _placed(text: str, on: Location, at: Restored) -> str:
    """Replace paths, file versions and the name of the database."""
    for token, name in at.tokens().items():
        text = text.replace(token, f"<{name}>")
    text = re.sub(r"\b[0-9a-f]+-[0-9a-f]{16}-[0-9a-f]{16}\b", "<version>", text)
    text = text.replace(on.trips.rpartition("/")[2], "<database>")
    return text.replace(str(at.folder), "<folder>")


def checks(on: Location, at: Restored) -> Any:
    """Return the results of all checks of the tables, from runs of the jobs that repeat them."""
    results: dict[str, Any] = {}
    for job in ("green_tripdata_checks_job", "yellow_tripdata_checks_job", "fhv_tripdata_checks_job"):
        done = on.run_job(job)
        results[job] = {"succeeded": done.success, "checks": _evaluations(on, done.run_id)}
    return results


def _evaluations(on: Location, run_id: str) -> Any:
    """Return the check results of a run, by check and month."""
    results: dict[str, dict[str, Any]] = {}
    for entry in on.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        evaluation = entry.asset_check_evaluation
        assert evaluation is not None
        results.setdefault(evaluation.check_name, {})[evaluation.partition or "all months"] = {
            "passed": evaluation.passed,
            "severity": evaluation.severity.value,
            "blocking": evaluation.blocking,
            "explained": bool(evaluation.description),
            "metadata": {name: _plain(value) for name, value in evaluation.metadata.items()},
        }
    return results


def _plain(value: dg.MetadataValue[Any]) -> Any:
    """Return numbers, texts, paths and table rows as plain values, and only the type of other metadata."""
    if isinstance(value, (dg.IntMetadataValue, dg.BoolMetadataValue, dg.TextMetadataValue, dg.PathMetadataValue)):
        return value.value
    if isinstance(value, dg.FloatMetadataValue):
        return round(value.value, 6) if value.value is not None else None
    if isinstance(value, dg.TableMetadataValue):
        return [row.data for row in value.records]
    return type(value).__name__


def doctor(on: Location, at: Restored) -> Any:
    """Return the states that ``taxi doctor`` reports for each subject that does not depend on the machine."""
    findings = json.loads(on.command("doctor", "--json").stdout)["findings"]
    return {
        subject: sorted({finding["state"] for finding in findings if finding["subject"] == subject})
        for subject in SUBJECTS
    }


def names(on: Location, at: Restored) -> Any:
    """Return all public names: assets, checks, jobs, schedules, sensors, commands and their options."""
    repository = on.definitions.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {spec.key.to_user_string(): _asset(on, spec) for spec in on.definitions.resolve_all_asset_specs()},
        "checks": {
            key.to_user_string(): {"blocking": graph.get(key).blocking, "partitioned": _is_partitioned(graph, key)}
            for key in graph.asset_check_keys
        },
        "jobs": {job.name: dict(job.tags) for job in on.definitions.resolve_all_job_defs() if job.name[:2] != "__"},
        "schedules": {
            schedule.name: [
                schedule.job_name,
                str(schedule.cron_schedule),
                str(schedule.execution_timezone),
                schedule.default_status.value,
            ]
            for schedule in repository.schedule_defs
        },
        "sensors": {
            sensor.name: [sensor.default_status.value, sensor.minimum_interval_seconds]
            for sensor in repository.sensor_defs
        },
        "commands": {
            name: {option: True for parameter in command.params for option in parameter.opts}
            for name, command in taxi.commands.items()
        },
    }


def _asset(on: Location, spec: dg.AssetSpec) -> Any:
    months = spec.partitions_def and spec.partitions_def.get_partition_keys()
    schema = spec.metadata.get("dagster/column_schema")
    definition = on.definitions.resolve_assets_def(spec.key)
    return {
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "partitions": months and [len(months), months[0], months[-1]],
        "upstream": sorted(dependency.asset_key.to_user_string() for dependency in spec.deps),
        "policy": definition.backfill_policy and definition.backfill_policy.policy_type.value,
        "pools": sorted(definition.op.pools) if definition.is_executable else [],
        "automated": spec.automation_condition is not None,
        "relation": spec.metadata.get("dagster/relation_identifier"),
        "columns": {column.name: column.type for column in schema.columns} if schema else {},
        "config": sorted(_config_names(definition)),
    }


def _config_names(definition: dg.AssetsDefinition) -> set[str]:
    """Return the names of the asset's run configuration."""
    field = definition.op.config_schema.as_field() if definition.is_executable and definition.op.config_schema else None
    return set(getattr(field.config_type, "fields", {})) if field else set()


def _is_partitioned(graph: Any, key: dg.AssetCheckKey) -> bool:
    return graph.get(key).partitions_def is not None


def load(on: Location, at: Restored) -> Any:
    """Return the metadata that runs record for a month that they load, and for one that is already loaded."""
    assets = ("raw/yellow_tripdata", "yellow_tripdata")
    done = on.materialize(*assets, first="2019-04")
    again = on.materialize("green_tripdata", first="2019-02")
    return {
        "new month": {asset: _metadata(on, at, done, asset) for asset in assets},
        "unchanged month": _metadata(on, at, again, "green_tripdata"),
        "checks of the new month": _evaluations(on, done.run_id),
    }


def _metadata(on: Location, at: Restored, result: dg.ExecuteInProcessResult, asset: str) -> Any:
    (made,) = on.materializations(result, asset)
    return {
        name: "<time>"
        if name in ("seconds", "rows_per_second")
        else json.loads(_placed(json.dumps(_plain(value)), on, at))
        for name, value in made.metadata.items()
    }


def report(on: Location, at: Restored) -> Any:
    """Return the figures on the reports' pages, which are read from the models that version 0.1 built."""
    made = {"trips": on.materialize("trips_report"), "2019-02": on.materialize("monthly_report", first="2019-02")}
    return {name: _page(on, run) for name, run in made.items()}


def _page(on: Location, run: dg.ExecuteInProcessResult) -> Any:
    (made,) = [event for asset in ("trips_report", "monthly_report") for event in on.materializations(run, asset)]
    page = BeautifulSoup(Path(str(made.metadata["path"].value)).read_text(encoding="utf-8"), "html.parser")
    return {
        "trips": made.metadata["trips"].value,
        "warns": "notices" in made.metadata,
        "figures": [_numbers(figure.text) for figure in page.find_all("dd") if _numbers(figure.text)],
        "tables": {
            table.caption.text: _rows(table)
            for table in page.find_all("table")
            if table.caption and table.caption.text != SENTENCES
        },
        "commands": sorted(code.text for code in page.find_all("code")),
    }


def _rows(table: Any) -> list[str]:
    """Return the rows of a table that contain more than zeros."""
    rows = [[cell.get_text(" ", strip=True) for cell in row.find_all(["td", "th"])] for row in table.find_all("tr")]
    return [" | ".join(row) for row in rows if any(re.search(r"[1-9]", cell) for cell in row[1:])]


def _numbers(text: str) -> str:
    return " ".join(re.findall(r"[-+$]*\d[\d,.]*", text))


ANSWERS: Mapping[str, Callable[[Location, Restored], Any]] = {
    "names": names,
    "status": status,
    "plans": plans,
    "new_months": new_months,
    "landing": landing,
    "doctor": doctor,
    "report": report,
    "checks": checks,
    "load": load,
}
"""The functions of all answers. The order matters: those that start runs come last."""

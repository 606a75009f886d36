"""The asset graph as passages that can be found and cited: assets, jobs, schedules, sensors, as they are defined now.

What became of them is handed in; nothing is asked of an instance here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from taxi_platform.assistant.documents import Document
from taxi_platform.assistant.passages import Passage, passages_of

if TYPE_CHECKING:
    import dagster as dg

KEYS_SHOWN = 20  # partitions, upstream assets and the like, in one passage
WHERE = "locations/taxi_platform"


def graph_passages(repository: "dg.RepositoryDefinition", web_url: str, states: Mapping[str, str]) -> list[Passage]:
    """One passage for each asset, job, schedule and sensor, with its page in the web UI as the link.

    Args:
        repository: what the code location holds.
        web_url: where people reach the web UI.
        states: what is known of assets, by their keys, in sentences.
    """
    told = [*_assets(repository, states), *_jobs(repository), *_schedules(repository), *_sensors(repository)]
    return [
        replace(passage, document="the asset graph", link=f"{web_url}/{path}")
        for title, path, text in told
        for passage in passages_of(Document("the asset graph", f"# {title}\n\n{text}"))
    ]


def _assets(repository: "dg.RepositoryDefinition", states: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    graph = repository.asset_graph
    jobs = _jobs_by_asset(repository)
    for node in graph.asset_nodes:
        key = node.key.to_user_string()
        yield f"Asset {key}", f"assets/{quote(key)}", _asset(key, node, graph, jobs.get(key, []), states.get(key))


def _asset(key: str, node: Any, graph: Any, jobs: Sequence[str], state: str | None) -> str:
    partitions: Sequence[str] = node.partitions_def.get_partition_keys() if node.partitions_def else ()
    lines = {
        "Group": node.group_name,
        "Kinds": _listed(node.kinds),
        "Partitions": f"{len(partitions)}, {partitions[0]} to {partitions[-1]}" if partitions else "",
        "Made from": _listed(parent.to_user_string() for parent in node.parent_keys),
        "Used by": _listed(child.to_user_string() for child in node.child_keys),
        "Checks": _listed(check.name for check in graph.get_check_keys_for_assets({node.key})),
        "Jobs": _listed(jobs),
        "State": state or "",
    }
    told = "\n".join(f"- {name}: {value}" for name, value in lines.items() if value)
    return f"`{key}`: {node.description or 'no description'}\n\n{told}"


def _jobs_by_asset(repository: "dg.RepositoryDefinition") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for job in _own_jobs(repository):
        for key in job.asset_layer.executable_asset_keys:
            found.setdefault(key.to_user_string(), []).append(job.name)
    return found


def _own_jobs(repository: "dg.RepositoryDefinition") -> list["dg.JobDefinition"]:
    return [job for job in repository.get_all_jobs() if not job.name.startswith("__")]


def _jobs(repository: "dg.RepositoryDefinition") -> Iterator[tuple[str, str, str]]:
    for job in _own_jobs(repository):
        made = _listed(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
        does = f"Materializes {made}." if made else f"Steps: {_listed(node.name for node in job.nodes)}."
        yield f"Job {job.name}", f"{WHERE}/jobs/{job.name}", f"`{job.name}`: {job.description or ''}\n\n{does}"


def _schedules(repository: "dg.RepositoryDefinition") -> Iterator[tuple[str, str, str]]:
    for one in repository.schedule_defs:
        state = "on" if one.default_status.value == "RUNNING" else "off"
        zone = one.execution_timezone or "UTC"
        text = f"`{one.name}` starts the job `{one.job_name}` at `{one.cron_schedule}` ({zone})."
        yield f"Schedule {one.name}", f"{WHERE}/schedules/{one.name}", f"{text} It is {state} at first."


def _sensors(repository: "dg.RepositoryDefinition") -> Iterator[tuple[str, str, str]]:
    for one in repository.sensor_defs:
        state = "on" if one.default_status.value == "RUNNING" else "off"
        text = f"`{one.name}`: {one.description or ''} It is {state} at first."
        yield f"Sensor {one.name}", f"{WHERE}/sensors/{one.name}", text


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - KEYS_SHOWN} more" if len(every) > KEYS_SHOWN else ""
    return ", ".join(every[:KEYS_SHOWN]) + more

"""The files of the dbt project that are generated from the services' contracts: the sources and their descriptions.

``python -m taxi_platform.models.contract`` writes them; a test fails when they differ from the contracts.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from taxi_platform.models.project import FOLDER
from taxi_platform.postgres import tables
from taxi_platform.trips import zones
from taxi_platform.trips.services import SERVICES, Service, column_comments

SOURCES = Path("models/staging/_sources.yml")
MEANINGS = Path("models/staging/_contract.md")
_NOTE = "Generated from taxi_platform/trips/{columns,services}.py by `python -m taxi_platform.models.contract`."
_DAYS = 35  # a file is published once a month, some days late


def contract_files() -> Mapping[Path, str]:
    """Return the content of each generated file by its path in the dbt project."""
    return {SOURCES: _sources(), MEANINGS: _meanings()}


def _sources() -> str:
    entries = [
        _table(service.table, service.name, tables.column_types(service)) | {"config": _freshness(service)}
        for service in SERVICES.values()
    ]
    files = {"name": "tripdata_files", "description": "{{ doc('tripdata_files') }}"}
    source = {
        "name": "trips",
        "description": "The tables of the platform, one row for each row of the published files.",
        "schema": "{{ target.schema if target.type == 'bigquery' else 'public' }}",
        "tables": [
            *entries,
            _table(zones.TABLE, zones.TABLE, {name: kind for name, (kind, _) in zones.COLUMNS.items()}),
            files | {"config": {"enabled": "{{ target.type == 'postgres' }}"}},
        ],
    }
    return f"# {_NOTE}\n" + yaml.safe_dump({"sources": [source]}, sort_keys=False, width=1_000)


def _table(name: str, prefix: str, types: Mapping[str, str]) -> dict[str, object]:
    columns = [
        {"name": column, "data_type": kind, "description": f"{{{{ doc('{prefix}__{column}') }}}}"}
        for column, kind in types.items()
    ]
    return {"name": name, "description": f"{{{{ doc('{name}') }}}}", "columns": columns}


def _freshness(service: Service) -> dict[str, object]:
    """Return when a month was loaded last: PostgreSQL has a table of files, BigQuery knows it of every table."""
    here = f"select max(loaded_at) from {tables.FILES} where table_name = '{tables.table_of(service)}'"
    there = (
        "select timestamp_millis(last_modified_time) from {{ target.schema }}.__TABLES__ "
        f"where table_id = '{service.table}'"
    )
    return {
        "freshness": {"warn_after": {"count": _DAYS, "period": "day"}},
        "loaded_at_query": f"{{% if target.type == 'postgres' %}}{here}{{% else %}}{there}{{% endif %}}",
    }


def _meanings() -> str:
    blocks = [f"{{# {_NOTE} #}}"]
    for name, text in _texts():
        blocks.append(f"{{% docs {name} %}}{text}{{% enddocs %}}")
    return "\n".join([*blocks, ""])


def _texts() -> Iterator[tuple[str, str]]:
    for service in SERVICES.values():
        yield service.table, f"{service.description} One row per trip; a row belongs to the month of its file."
        for column, text in column_comments(service).items():
            yield f"{service.name}__{column}", text
    yield zones.TABLE, "The TLC's taxi zones: number, borough, name and who serves it."
    for column, (_, text) in zones.COLUMNS.items():
        yield f"{zones.TABLE}__{column}", text
    yield "tripdata_files", "One row for each loaded month: its file, and when it was loaded."


if __name__ == "__main__":
    for place, content in contract_files().items():
        (FOLDER / place).write_text(content, encoding="utf-8")
        print(FOLDER / place)

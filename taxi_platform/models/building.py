"""The command line of one ``dbt build``, and the error for its failure. Pure; Dagster runs it in ``orchestration``."""

import json
from collections.abc import Sequence

from taxi_platform.errors import BrokenModels
from taxi_platform.models.project import DBT
from taxi_platform.redaction import redact
from taxi_platform.trips.months import Month


def build_arguments(names: Sequence[str], target: str, months: Sequence[Month], *, full_refresh: bool) -> list[str]:
    """Return the command line that builds and tests exactly these models and tests."""
    return [
        *DBT,
        "--no-use-colors",
        "build",
        "--target",
        target,
        *(["--full-refresh"] if full_refresh else []),
        "--indirect-selection",
        "empty",
        "--select",
        *sorted(names),
        "--vars",
        json.dumps({"months": [str(month) for month in months]}),
    ]


def read_failure(text: str) -> BrokenModels:
    """Return the error for dbt's own messages, which name the model or test, its file and often the line.

    Args:
        text: dagster-dbt's message about the failed process.
    """
    _, _, errors = text.partition("Errors parsed from dbt logs:")
    paragraphs = dict.fromkeys(part.strip() for part in (errors or text).split("\n\n"))
    lines = "\n\n".join(filter(None, paragraphs))
    return BrokenModels(
        "dbt build",
        f"some models or tests failed\n{redact(lines)}\n",
        "Models built before the failure are kept; downstream models were skipped.",
    )

"""What dbt says when it fails, as an error of the platform. Pure."""

from taxi_platform.errors import BrokenModels
from taxi_platform.redaction import redact

_ERRORS = "Errors parsed from dbt logs:"


def told_by_dbt(text: str) -> BrokenModels:
    """The error that dbt's own words make: they name the model or the test, its file, and of SQL and Jinja the line.

    Args:
        text: what dagster-dbt says of a process that failed.
    """
    _, _, told = text.partition(_ERRORS)
    paragraphs = dict.fromkeys(part.strip() for part in (told or text).split("\n\n"))
    lines = "\n\n".join(filter(None, paragraphs))
    return BrokenModels(
        "dbt build",
        f"not everything could be built, or holds\n{redact(lines)}\n",
        "What is built stands; what lies behind a failure was left as it was.",
    )

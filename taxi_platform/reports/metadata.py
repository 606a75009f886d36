"""What Dagster's UI shows of a report: where it is, what it is about, and its pictures."""

import base64
from typing import Any

import dagster as dg

from taxi_platform.reports.writing import Report


def report_metadata(report: Report) -> dict[str, Any]:
    """The metadata of a report's materialization; the pictures are as large as the page, whatever it is about."""
    notices = "\n".join(f"- {one.text}" + (f" `{one.command}`" if one.command else "") for one in report.page.notices)
    previews = {
        f"picture: {figure.title.lower()}": dg.MetadataValue.md(_picture(figure.preview(), figure.title))
        for figure in report.page.figures
    }
    return {
        "path": dg.MetadataValue.path(report.path),
        "bytes": report.path.stat().st_size,
        "trips": report.trips,
        **({"notices": dg.MetadataValue.md(notices)} if notices else {}),
        **previews,
    }


def _picture(png: bytes, title: str) -> str:
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"

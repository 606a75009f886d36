"""Log lines as JSON, which collectors of logs read: the formatter that ``dagster.yaml`` may name.

Dagster's own ``JsonLogFormatter`` fails on a line with an exception, and repeats every tag of the run.
"""

import json
import logging
from datetime import datetime, timezone
from typing import Any


class JsonFormatter(logging.Formatter):
    """Formats each log record as one line of JSON; one of Dagster's also says which run and step it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        of_run: dict[str, Any] = getattr(record, "dagster_meta", {})
        event = of_run.get("dagster_event")
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": of_run.get("orig_message") or record.getMessage(),
            "event": event.event_type_value if event else None,
            **{name: of_run.get(name) for name in ("run_id", "job_name", "step_key")},
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in line.items() if value}, default=str, ensure_ascii=False)

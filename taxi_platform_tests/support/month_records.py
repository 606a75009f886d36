"""Load records as the database could have them, without a database."""

from datetime import datetime, timezone

from taxi_platform.ledger.record import LoadRecord

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def load_record(rows: int = 49, **values: object) -> LoadRecord:
    """Return the record of a month with so many rows in its table, in place unless ``values`` say otherwise."""
    rejected = values.get("rows_rejected", 0)
    usual = {
        "source": "https://example.com/x.csv.gz",
        "sha256": "aaa",
        "file_bytes": 1000,
        "csv_bytes": 9000,
        "rows_in_file": rows + rejected,  # pyright: ignore[reportOperatorIssue]
        "rows_loaded": rows,
        "rows_rejected": rejected,
        "contract": "today's",
        "loaded_at": NOW,
        "untouched": True,
        "current": True,
    }
    return LoadRecord(**{**usual, **values})  # pyright: ignore[reportArgumentType]

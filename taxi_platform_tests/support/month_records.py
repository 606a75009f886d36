"""Load records as the database could have them, without a database."""

from datetime import datetime, timezone

from taxi_platform.ledger.record import LoadRecord
from taxi_platform.trips.files import FileFacts

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def load_record(
    rows: int = 49,
    *,
    sha256: str = "aaa",
    rows_rejected: int = 0,
    file_bytes: int = 1000,
    csv_bytes: int = 9000,
    source: str = "https://example.com/x.csv.gz",
    untouched: bool = True,
    current: bool = True,
) -> LoadRecord:
    """Return the record of a month with so many rows in its table."""
    return LoadRecord(
        source=source,
        facts=FileFacts(file_bytes, csv_bytes, sha256, rows + rows_rejected),
        rows_loaded=rows,
        rows_rejected=rows_rejected,
        contract="today's",
        loaded_at=NOW,
        untouched=untouched,
        current=current,
    )

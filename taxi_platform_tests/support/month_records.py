"""Load records and month records for tests that need neither a database nor Dagster."""

from datetime import datetime, timezone

from taxi_platform.ledger.record import Attempt, LoadRecord, Materialized, MonthRecord, State
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.keys import raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

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
    """Return the load record of a month with this number of rows in its table."""
    return LoadRecord(
        source=source,
        facts=FileFacts(file_bytes, csv_bytes, sha256, rows + rows_rejected),
        rows_loaded=rows,
        rows_rejected=rows_rejected,
        untouched=untouched,
        current=current,
    )


def month_in(state: State, month: Month, service: str = "green", *, rows: int = 0) -> MonthRecord:
    """Return the record of a month in this state, with this number of rows in its table."""
    contract = SERVICES[service]
    key = table_key(contract.table)
    made = Materialized(order=1, run_id="run-of-table", timestamp=NOW.timestamp(), rows_loaded=rows)
    newer = Materialized(order=2, run_id="run-of-raw", timestamp=NOW.timestamp(), facts=FileFacts(1, 1, "bbb", 1))
    outcome = {"failed": "failed", "in progress": "unfinished"}.get(state)
    record = MonthRecord(
        service=contract,
        month=month,
        materialized={
            **({} if state == "missing" else {key: made}),
            **({raw_key(contract.table): newer} if state == "file changed" else {}),
        },
        attempts={key: Attempt("12345678-9", outcome, NOW)} if outcome else {},  # pyright: ignore
    )
    assert record.state == state
    return record

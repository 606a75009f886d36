"""Reading the metadata of materializations, including those recorded by version 0.1 or by other tools."""

from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.ledger.event_metadata import raw_metadata, read_materialization
from taxi_platform.ledger.record import Materialized
from taxi_platform.trips.files import FileFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.months import Month

FACTS = FileFacts(bytes=1000, csv_bytes=9000, sha256="aaa", rows=50)


def recorded(metadata: dict[str, object]) -> Materialized:
    """Return what the ledger reads from a materialization with this metadata."""
    made = dg.AssetMaterialization("green_tripdata", metadata=metadata)  # pyright: ignore[reportArgumentType]
    return read_materialization(made.metadata, order=7, run_id="run", timestamp=1_800_000_000.0)


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("source", ["https://example.com/x.csv.gz", "sample:0.01/green_tripdata_2019-03.csv.gz"])
@pytest.mark.parametrize("version", [SourceVersion('"v1"', "Tue", 1000), SourceVersion(None, None, 1000)])
def test_a_raw_file_is_read_back_as_it_was_written(
    version: SourceVersion, source: str, landed: bool, tmp_path: Path
) -> None:
    file = TripFile(
        service="green",
        month=Month(2019, 3),
        source=source,
        uri=(tmp_path / "green_tripdata_2019-03.csv.gz").as_uri(),
        version=version,
        landed=landed,
        facts=FACTS,
    )
    found = recorded(raw_metadata(Transfer(file, is_new=True, seconds=1.0)))
    assert (found.source, found.version, found.facts, found.landed) == (source, version, FACTS, landed)
    assert (found.order, found.run_id, found.rows_loaded) == (7, "run", None)


def test_a_table_of_version_0_1_is_read() -> None:
    found = recorded(
        {
            "source": dg.MetadataValue.url("https://example.com/x.csv.gz"),
            "rows_in_file": 50,
            "file_bytes": 1000,
            "csv_bytes": 9000,
            "sha256": "aaa",
            "rows_loaded": 49,
            "rows_rejected": 1,
        }
    )
    assert (found.facts, found.rows_loaded, found.version.bytes) == (FACTS, 49, 1000)


def test_a_materialization_reported_by_others_has_no_facts_of_the_file() -> None:
    found = recorded({"by": "hand"})
    assert (found.facts, found.rows_loaded, found.version) == (None, None, SourceVersion(None, None, None))

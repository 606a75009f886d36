"""What a user's asset gets from the platform's assets: its annotated type, with the rows of its months."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.postgres.frames import TableReference
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform, platform_of_a_module
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped


@pytest.fixture(scope="module")
def months(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Load three months of 2019 with 10, 20 and 30 trips; a fourth is not published."""
    folder = tmp_path_factory.mktemp("months")
    for month in Month(2019, 1).through(Month(2019, 3)):
        lines = rows(GREEN, 10 * month.month, first=1000 * month.month)
        lines[0] = with_field(GREEN, lines[0], "payment_type", "")
        (folder / f"green_tripdata_{month}.csv.gz").write_bytes(zipped(text(GREEN, lines)))
    values = {"TAXI_SOURCE": str(folder), "TAXI_LAST_MONTH": "2019-04"}
    with platform_of_a_module(postgres_url, folder / "data", **values) as platform:
        assert platform.run("green_tripdata", months="2019-01...2019-03").succeeded
        yield platform


def given(
    platform: Platform, kind: Any, key: str = "green_tripdata", *, by_month: bool = True, **span: str | None
) -> Any:
    """Return the input that an asset with this annotation gets."""
    seen = []

    def reader(trips: Any) -> None:
        seen.append(trips)

    reader.__annotations__["trips"] = kind
    if kind is None:
        del reader.__annotations__["trips"]
    make: Callable[..., Any] = dg.asset(
        name="reader",
        ins={"trips": dg.AssetIn(dg.AssetKey.from_user_string(key))},
        partitions_def=monthly_partitions(GREEN) if by_month else None,
        backfill_policy=dg.BackfillPolicy.single_run() if by_month else None,
    )
    run = platform.run("reader", further=[make(reader)], **span)
    assert run.succeeded, run.failure
    (value,) = seen
    return value


def test_months_as_pandas(months: Platform) -> None:
    frame = given(months, pd.DataFrame, months="2019-02...2019-03")
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.groupby("filename").size()) == [20, 30]
    assert list(frame.columns[:3]) == ["unique_row_id", "filename", "vendorid"]
    assert str(frame["payment_type"].dtype) == "Int32"
    assert frame["payment_type"].isna().sum() == 2
    assert frame["lpep_pickup_datetime"].dtype.kind == "M"


def test_a_month_as_arrow(months: Platform) -> None:
    table = given(months, pa.Table, month="2019-02")
    assert isinstance(table, pa.Table)
    assert (table.num_rows, table["filename"].unique().to_pylist()) == (20, ["green_tripdata_2019-02.csv"])
    assert table.schema.field("trip_distance").type == pa.float64()
    assert table.schema.field("lpep_pickup_datetime").type == pa.timestamp("us")


@pytest.mark.parametrize(("kind", "span", "counts"), [
    (None, {"month": "2019-02"}, [20]), (TableReference, {"months": "2019-02...2019-03"}, [20, 30]),
])  # fmt: skip
def test_months_as_a_reference_with_that_annotation_or_none(
    kind: type | None, span: dict[str, str], counts: list[int], months: Platform
) -> None:
    reference = given(months, kind, **span)
    assert isinstance(reference, TableReference)
    assert reference.table == "public.green_tripdata"
    assert list(reference.files) == [f"green_tripdata_2019-0{count // 10}.csv" for count in counts]
    assert len(months.rows(reference.query)) == sum(counts)


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table])
def test_an_asset_without_months_reads_the_whole_table(kind: type, months: Platform) -> None:
    assert len(given(months, kind, by_month=False)) == 60


def test_a_month_that_is_not_loaded_has_no_rows(months: Platform) -> None:
    assert given(months, pd.DataFrame, month="2019-04").empty


def test_the_zone_lookup_is_read_as_it_was_written(platform: Platform) -> None:
    assert platform.run("taxi_zone_lookup").succeeded
    assert len(given(platform, pa.Table, "taxi_zone_lookup", by_month=False)) == 265
    assert given(platform, None, "taxi_zone_lookup", by_month=False).query == "select * from public.taxi_zone_lookup"


def test_a_raw_month_as_the_verified_file(months: Platform) -> None:
    file = given(months, TripFile, "raw/green_tripdata", month="2019-02")
    assert isinstance(file, TripFile)
    assert (file.service, str(file.month), file.rows) == ("green", "2019-02", 20)
    assert file.path.stat().st_size == file.bytes


@pytest.mark.parametrize("kind", [None, TripFiles])
def test_raw_months_as_files_that_are_fetched_when_they_are_used(
    kind: type | None, server: TripServer, platform: Platform
) -> None:
    server.publish("/green/green_tripdata_2019-01.csv.gz", zipped(text(GREEN, rows(GREEN, 10))))
    platform.use(TAXI_SOURCE=server.template)
    files = given(platform, kind, "raw/green_tripdata", months="2019-01...2019-02")
    assert isinstance(files, TripFiles)
    assert files.months == [Month(2019, 1), Month(2019, 2)]
    assert server.requests == []
    assert files.fetch(Month(2019, 1)).file.rows == 10

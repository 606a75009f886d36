"""The sample generator: deterministic, exact in size, with the faults of the published files, and without bad rows."""

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_platform.errors import NotPublished, StorageFull
from taxi_platform.sources import sample_blocks, sample_trips
from taxi_platform.sources.sample import GENERATION, SampleSource, rows_of_month
from taxi_platform.sources.sample_blocks import Block, SampleFile
from taxi_platform.sources.sample_trips import write_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import TripStream, read_chunks
from taxi_platform.trips.records import read_records
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service

# Checksums of 31,000 rows of 2020-06. After an intended change of the generator, raise GENERATION and update them.
CHECKSUMS = {
    "green": "af0d0fc64138d3b5e8ba5be65cfe0614d6abdb57e54b2918bcfcde1ed7bfe830",
    "yellow": "4bc852e54756ff402cb6f8795631e5b684c1388e4c8d8482c60d1bfc1b07b5e2",
    "fhv": "59c1a8bc1b8ccc996edffef0317a3cf233418a5e0fb95b2cffff0f26471c2a5f",
    "fhvhv": "0880da3ae3557daff25f8ead2295cc9e28bade72ffec19d6bf2c1f802a1a37b6",
}
MIB = 1024 * 1024


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture(scope="module")
def june(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make 31,000 rows of June 2020, so that the month is more than one block long."""
    return made(service, "2020-06", 31_000, tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def greens(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Make a large green month, and return its values as text."""
    return texts(made(GREEN, "2020-06", 250_000, tmp_path_factory.mktemp("green")))


def made(service: Service, month: str, rows: int, folder: Path) -> Path:
    path = folder / f"{service.file_name(Month.parse(month))}.gz"
    write_month(service, Month.parse(month), rows, path)
    return path


def texts(path: Path) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema=False).fill_null("")
    return frame.rename({name: name.lower() for name in frame.columns})


def strays(frame: pl.DataFrame, service: Service, month: str) -> int:
    return frame.filter(~pl.col(service.pickup).str.starts_with(month)).height


def read(path: Path, service: Service) -> TripStream:
    stream = TripStream(read_chunks(path), service, Month(2020, 6), compressed=True)
    for _ in stream.blocks():
        pass
    return stream


def run_python(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, **environment}
    ).stdout


# Determinism and size


def test_the_same_request_gets_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    here, there, source = tmp_path / "here.csv.gz", tmp_path / "there.csv.gz", SampleSource(0.1)
    source.fetch(source.trips(GREEN, Month(2020, 4)), here)
    code = f"""if True:
        from pathlib import Path
        from taxi_platform.sources.sample import SampleSource
        from taxi_platform.trips.services import GREEN
        from taxi_platform.trips.months import Month
        source = SampleSource(0.1)
        source.fetch(source.trips(GREEN, Month(2020, 4)), Path({str(there)!r}))"""
    run_python(code, PYTHONHASHSEED="1")
    assert there.read_bytes() == here.read_bytes()


def test_the_number_of_threads_changes_nothing(service: Service, june: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_trips, "MOST_THREADS", 1)
        assert made(service, "2020-06", 31_000, tmp_path).read_bytes() == june.read_bytes()


def test_this_generation_makes_these_bytes_on_every_machine(service: Service, june: Path) -> None:
    assert hashlib.sha256(gzip.decompress(june.read_bytes())).hexdigest() == CHECKSUMS[service.name]


@pytest.mark.parametrize("rows", [1, 2, 100, 29_999, 30_000, 30_001, 60_000])
def test_a_file_has_exactly_the_requested_rows(rows: int, tmp_path: Path) -> None:
    assert read(made(YELLOW, "2021-01", rows, tmp_path), YELLOW).rows == rows


@settings(max_examples=20, deadline=None)
@given(
    service=st.sampled_from(list(SERVICES.values())),
    month=st.builds(Month, st.integers(2009, 2099), st.integers(1, 12)),
    scale=st.floats(1e-9, 3e-4),
)
def test_any_month_of_any_service_at_any_scale_reads_cleanly(
    tmp_path_factory: pytest.TempPathFactory, service: Service, month: Month, scale: float
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.csv.gz"
    source = SampleSource(scale)
    address = source.trips(service, month)
    assert source.fetch(address, path) == source.version(address)
    stream = read(path, service)
    assert stream.regular
    assert stream.rows == rows_of_month(service, month, scale) >= 100
    frame = texts(path)
    assert frame.is_duplicated().sum() == 0
    assert strays(frame, service, str(month)) == (stream.rows >= 1_000)


def test_rows_grow_with_the_scale_and_follow_the_real_order() -> None:
    assert 6_500_000 < rows_of_month(YELLOW, Month(2019, 3), 1.0) < 8_000_000
    assert rows_of_month(YELLOW, Month(2020, 4), 1.0) == pytest.approx(231_000, rel=0.1)
    assert rows_of_month(GREEN, Month(2019, 6), 1.0) == pytest.approx(500_000, rel=0.1)
    assert rows_of_month(GREEN, Month(2020, 4), 1.0) == pytest.approx(36_000, rel=0.1)
    assert rows_of_month(FHV, Month(2019, 6), 1.0) == pytest.approx(1_800_000, rel=0.1)
    assert rows_of_month(FHV, Month(2019, 6), 0.01) == rows_of_month(FHV, Month(2019, 6), 1.0) // 100
    assert rows_of_month(FHV, Month(2019, 6), 1e-9) == 100


# Addresses and versions


def test_the_version_tells_files_scales_and_generations_apart() -> None:
    tags = [
        source.version(source.trips(GREEN, month)).etag
        for source in (SampleSource(0.1), SampleSource(0.2))
        for month in (Month(2019, 3), Month(2019, 4))
    ]
    assert len(set(tags)) == 4
    assert all(tag and tag.endswith(f"#{GENERATION}") for tag in tags)


@pytest.mark.parametrize(
    "address",
    [
        "sample:0.2/green/green_tripdata_2019-03.csv.gz",
        "sample:0.1/yellow/green_tripdata_2019-03.csv.gz",
        "sample:0.1/green/green_tripdata_2019-13.csv.gz",
        "sample:0.1/green/green_tripdata_2019-03.csv",
        "sample:0.1/ferry/ferry_tripdata_2019-03.csv.gz",
        "sample:0.1/green/green_tripdata_2008-03.csv.gz",
        "sample:0.1/green/green_tripdata_2100-03.csv.gz",
        "https://example.org/green_tripdata_2019-03.csv.gz",
        "",
    ],
)
def test_addresses_of_other_sources_are_not_published_here(address: str, tmp_path: Path) -> None:
    source = SampleSource(0.1)
    with pytest.raises(NotPublished):
        source.version(address)
    with pytest.raises(NotPublished):
        source.fetch(address, tmp_path / "x")
    assert not list(tmp_path.iterdir())


# Writing


def test_fetching_overwrites_whatever_is_there(tmp_path: Path) -> None:
    target = tmp_path / "month.csv.gz"
    target.write_bytes(b"the beginning of something else" * 100_000)
    source = SampleSource(1e-6)
    source.fetch(source.trips(GREEN, Month(2020, 6)), target)
    assert read(target, GREEN).rows == 100


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full does not exist")
def test_a_full_disk_is_reported() -> None:
    source = SampleSource(0.01)
    for address in (source.trips(GREEN, Month(2020, 6)), source.zones()):
        with pytest.raises(StorageFull, match="no space left on device"):
            source.fetch(address, Path("/dev/full"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full does not exist")
def test_making_a_month_stops_soon_after_a_write_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[int] = []
    make = sample_trips.csv_of_block

    def record(file: SampleFile, block: Block) -> bytes:
        blocks.append(block.number)
        return make(file, block)

    monkeypatch.setattr(sample_trips, "csv_of_block", record)
    with pytest.raises(StorageFull):
        write_month(YELLOW, Month(2019, 3), 8_000_000, Path("/dev/full"))
    assert len(blocks) <= 3 * sample_trips.MOST_THREADS


def test_memory_does_not_grow_with_the_month(tmp_path: Path) -> None:
    code = f"""if True:
        import resource
        from pathlib import Path
        from taxi_platform.sources.sample_trips import write_month
        from taxi_platform.trips.services import YELLOW
        from taxi_platform.trips.months import Month
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        write_month(YELLOW, Month(2019, 3), 300_000, Path({str(tmp_path / "s.csv.gz")!r}))
        small = peak()
        write_month(YELLOW, Month(2019, 3), 1_500_000, Path({str(tmp_path / "l.csv.gz")!r}))
        print(before, small, peak())"""
    before, small, large = (int(number) // 1024 for number in run_python(code).split())
    assert small - before < 150
    assert large - small < 20


def test_the_source_is_imported_without_the_libraries_that_make_trips() -> None:
    code = "import sys, taxi_platform.sources.sample; print({'numpy', 'polars', 'pandas'} & set(sys.modules))"
    assert run_python(code).strip() == "set()"


# Without bad rows


def test_the_header_is_the_contracts_and_every_line_ends_in_crlf(service: Service, june: Path) -> None:
    content = gzip.decompress(june.read_bytes())
    assert content.split(b"\r\n")[0].decode() == ",".join(column.source for column in service.first_columns)
    assert content.endswith(b"\r\n")
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r") == 31_001


def test_every_record_is_good_by_the_contract(service: Service, june: Path) -> None:
    records = list(read_records(TripStream(read_chunks(june), service, Month(2020, 6), compressed=True)))
    assert len(records) == 31_000
    assert [record.problem for record in records if record.problem] == []


def test_no_two_rows_are_equal_and_the_identity_tells_them_apart(service: Service, tmp_path: Path) -> None:
    frame = texts(made(service, "2021-03", 150_000, tmp_path))
    assert frame.n_unique() == frame.height
    assert frame.select(service.identity).n_unique() == frame.height


def test_even_a_crowded_month_repeats_no_trip(service: Service, tmp_path: Path) -> None:
    def all_in_the_first(hours: sample_blocks.Numbers) -> sample_blocks.Numbers:
        return np.where(hours == hours[0], 1, 0)

    with pytest.MonkeyPatch.context() as patch:  # as many trips in a second as in the largest month
        patch.setattr(sample_blocks, "busy", all_in_the_first)
        frame = texts(made(service, "2021-03", 200_000, tmp_path))
    assert frame.select(service.identity).n_unique() == frame.height


# The faults of the published files


def test_some_pickups_lie_outside_the_month(greens: pl.DataFrame) -> None:
    outside = greens.filter(~pl.col(GREEN.pickup).str.starts_with("2020-06"))[GREEN.pickup]
    assert outside.len() == pytest.approx(250_000 / 15_000, abs=3)
    assert {"2008-12-31", "2041-08-17", "2020-05-31"} <= set(outside.str.head(10))


def test_some_trips_are_reversed_by_a_row_with_negative_amounts(greens: pl.DataFrame) -> None:
    amounts = ["fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge", "total_amount"]
    numbers = greens.with_columns(pl.col(amounts).cast(pl.Float64))
    negative = numbers.filter(pl.col("total_amount") < 0)
    assert negative.height == pytest.approx(0.0038 * 160_000, rel=0.2)
    assert set(negative["payment_type"]) == {"3", "4"}
    identity = [name for name in GREEN.identity if name not in amounts]
    reversed_trips = negative.with_columns(-pl.col(amounts)).join(numbers, on=[*identity, *amounts], how="semi")
    assert reversed_trips.height == negative.height


# Zones


def test_the_zone_lookup_has_265_zones_shaped_like_the_real_ones(tmp_path: Path) -> None:
    path = tmp_path / "zones.csv"
    path.write_text("left over")
    source = SampleSource(0.1)
    assert source.fetch(source.zones(), path) == source.version(source.zones())
    lines = path.read_text().splitlines()
    assert lines[0] == '"LocationID","Borough","Zone","service_zone"'
    assert lines[-2:] == ['264,"Unknown","NV","N/A"', '265,"Unknown","NA","N/A"']
    zones = pl.read_csv(path, null_values=[])
    assert zones["LocationID"].to_list() == list(range(1, 266))
    assert zones["Zone"].n_unique() == 265
    boroughs = {"EWR", "Queens", "Bronx", "Manhattan", "Staten Island", "Brooklyn", "Unknown"}
    assert set(zones["Borough"]) == boroughs
    assert set(zones["service_zone"]) == {"EWR", "Boro Zone", "Yellow Zone", "Airports", "N/A"}

"""Uploading a month to the lake with all checks, against the bare client, both to the emulator."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.load_speed import MONTH
from benchmarks.pairs import in_turn, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from deploy.emulators.servers import Emulators
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import PART, Lake
from taxi_platform.bigquery.setup import set_up
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.keys import stored_name
from taxi_platform.trips.services import YELLOW

MOST = 1.2
MIB = 2**20


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare an upload with all checks with ``upload_from_filename``, for a green month and for ``rows``."""
    with project(bench) as cloud:
        for size in sorted({rows // 4, rows}):
            yield _compare(cloud, bench.file(YELLOW, MONTH, size), count)


@contextmanager
def project(bench: Workbench) -> Generator[Cloud]:
    """Start emulators for the measurement, and yield a project with bucket and dataset."""
    with Emulators(bench.folder / "google").running() as addresses:
        cloud = Cloud("trips-123", "US", "trips-123-lake", "trips", "", addresses.storage, addresses.bigquery)
        set_up(cloud)
        yield cloud


def _compare(cloud: Cloud, file: TripFile, count: int) -> Finding:
    """Compare uploads in parts of the same size; in one piece, the client would hold up to 100 MiB twice."""
    runs = [lambda: _put(cloud, file), lambda: _bare(cloud, file, PART), lambda: _bare(cloud, file, None)]
    ours, in_parts, whole = in_turn(runs, count)
    ratios, against_whole = (
        [mine / bare for mine, bare in zip(ours, other, strict=True)] for other in (in_parts, whole)
    )
    return Finding(
        f"{file.bytes / MIB:,.0f} MiB into the lake, against the bare client with parts of {PART / MIB:.0f} MiB",
        f"≤ {MOST} times",
        f"{spread(ratios)} times",
        median(ratios) <= MOST,
        f"{spread(ours)} s against {spread(in_parts)} s; against the client's own parts of 100 MiB, "
        f"{spread(against_whole)} times",
    )


def _put(cloud: Cloud, file: TripFile) -> float:
    """Return the seconds of an upload with SHA-256, CRC32C, precondition and provenance."""
    remove(cloud, file)
    started = time.perf_counter()
    Lake(cloud).put(file)
    return time.perf_counter() - started


def _bare(cloud: Cloud, file: TripFile, part: int | None) -> float:
    """Return the seconds of the bare client's upload."""
    remove(cloud, file)
    started = time.perf_counter()
    bare_upload(cloud, file, part)
    return time.perf_counter() - started


def bare_upload(cloud: Cloud, file: TripFile, part: int | None = None) -> None:
    """Upload a file with the client alone, in parts of this many bytes, or of the client's default size."""
    name = stored_name(file.service, file.name)
    cloud.storage.bucket(cloud.bucket).blob(name, chunk_size=part).upload_from_filename(str(file.path))


def remove(cloud: Cloud, file: TripFile) -> None:
    """Delete the file from the lake."""
    for blob in cloud.storage.list_blobs(cloud.bucket, prefix=stored_name(file.service, file.name)):
        blob.delete()

"""Trip files for tests: good rows of every service, and the bytes of their file; made in memory.

lines = rows(GREEN, 50)
lines[7] = with_field(GREEN, lines[7], "trip_distance", "far")
content = zipped(text(GREEN, lines))
"""

import gzip
from collections.abc import Iterator, Sequence

from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import TripStream
from taxi_platform.trips.services import FHV, FHVHV, GREEN, YELLOW, Service

MARCH = Month(2019, 3)
APRIL = Month(2019, 4)

_ROWS = {
    GREEN.name: "{vendor},{pickup},{dropoff},{flag},1,{up},{down},1,{miles},{fare},0.5,0.5,0,0,,0.3,{total},{pay},1,",
    YELLOW.name: "{vendor},{pickup},{dropoff},1,{miles},1,{flag},{up},{down},{pay},{fare},0.5,0.5,0,0,0.3,{total},2.5",
    FHV.name: "B{base:05d},{pickup},{dropoff},{up},{down},,B{base:05d}",
    FHVHV.name: "HV0003,B02764,B02764,{pickup},{pickup},{pickup},{dropoff},{up},{down},{miles},52,{fare},0,0.5,1.3,"
    "2.75,0,0,{total},N,N,N,N,{flag}",
}


def header(service: Service) -> str:
    """Return the header line as published, without its line end."""
    return ",".join(column.source for column in service.first_columns)


def row(service: Service, number: int) -> str:
    """Return a good row of March 2019 without its line end, another one for each number."""
    day, minute = 1 + number // 1440 % 31, number % 1440
    fare = 3 + number % 50 / 2
    return _ROWS[service.name].format(
        vendor=1 + number % 2,
        pickup=f"2019-03-{day:02d} {minute // 60:02d}:{minute % 60:02d}:07",
        dropoff=f"2019-03-{day:02d} {minute // 60:02d}:{minute % 60:02d}:59",
        flag="NY"[number % 2],
        up=1 + number % 265,
        down=1 + number * 7 % 265,
        miles=f".{number % 100:02d}",
        fare=f"{fare:g}",
        total=f"{fare + 1.3:.2f}",
        pay=1 + number % 2,
        base=number,
    )


def rows(service: Service, count: int, first: int = 0) -> list[str]:
    """Return good rows, no two of them equal."""
    return [row(service, number) for number in range(first, first + count)]


def with_field(service: Service, line: str, column: str, value: str) -> str:
    """Return the row with another value in one column."""
    fields = line.split(",")
    fields[[known.name for known in service.first_columns].index(column)] = value
    return ",".join(fields)


def text(service: Service, lines: Sequence[str], end: str = "\r\n") -> bytes:
    """Return a plain file: the header and these lines, each with the line end."""
    return "".join(line + end for line in [header(service), *lines]).encode()


def zipped(content: bytes) -> bytes:
    """Compress a file as one member of gzip."""
    return gzip.compress(content, compresslevel=1, mtime=0)


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    """Yield the bytes, ``size`` at a time."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def stream(
    content: bytes, service: Service = GREEN, size: int = 64 * 1024, is_regular: bool | None = None
) -> TripStream:
    """Return a stream of a file's bytes, which may be plain or compressed."""
    compressed = content.startswith(b"\x1f")
    return TripStream(pieces(content, size), service, MARCH, compressed=compressed, is_regular=is_regular)

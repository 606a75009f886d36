"""Trip files with a few made-up rows, the same on every machine."""

import gzip
import os
from pathlib import Path

HEADERS = {
    "green": "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,"
    "DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,ehail_fee,"
    "improvement_surcharge,total_amount,payment_type,trip_type,congestion_surcharge",
    "yellow": "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,"
    "store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,"
    "improvement_surcharge,total_amount,congestion_surcharge",
    "fhv": "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
    "Affiliated_base_number",
}
_ROWS = {
    "green": "{vendor},{pickup},{dropoff},N,1,{up},{down},1,{miles},{fare},0.5,0.5,0,0,,0.3,{total},2,1,",
    "yellow": "{vendor},{pickup},{dropoff},1,{miles},1,N,{up},{down},1,{fare},0.5,0.5,0,0,0.3,{total},2.5",
    "fhv": "B{number:05d},{pickup},{dropoff},{up},{down},,B{number:05d}",
}
_FIRST_PUBLISHED = 1_600_000_000_123_456_789  # ns since 1970; each file is an hour later than the one before


def rows(service: str, month: str, count: int, first: int = 0) -> list[str]:
    """Return different good rows of a month."""
    return [
        _ROWS[service].format(
            number=number,
            vendor=1 + number % 2,
            pickup=f"{month}-{1 + number % 28:02d} {number % 24:02d}:10:07",
            dropoff=f"{month}-{1 + number % 28:02d} {number % 24:02d}:31:59",
            up=1 + number * 7 % 263,
            down=1 + number * 11 % 263,
            miles=f"{1 + number % 9}.{number % 100:02d}",
            fare=f"{4 + number % 20 / 2:g}",
            total=f"{5.3 + number % 20 / 2:.2f}",
        )
        for number in range(first, first + count)
    ]


def content(service: str, lines: list[str]) -> bytes:
    """Return a compressed file with these rows."""
    return gzip.compress("".join(f"{line}\r\n" for line in [HEADERS[service], *lines]).encode(), mtime=0)


def odd_rows(service: str, month: str, count: int) -> list[str]:
    """Return copies of one trip that breaks every rule of the checks."""
    values = dict(zip(HEADERS[service].split(","), rows(service, month, 1)[0].split(","), strict=True))
    times = [name for name in values if name.endswith("_datetime")]
    values |= {times[0]: "2008-12-31 23:59:59", times[1]: "2008-12-31 23:00:00", "PULocationID": "299"}
    values |= {"VendorID": "", "fare_amount": "-4", "total_amount": "-5.3"}
    return [",".join(values.values())] * count


def zones() -> str:
    """Return a zone lookup with made-up names."""
    boroughs = ("Bronx", "Manhattan", "Queens")
    lines = [f'{number},"{boroughs[number % 3]}","Zone {number}","Boro Zone"' for number in range(1, 266)]
    return "\r\n".join(['"LocationID","Borough","Zone","service_zone"', *lines, ""])


class Published:
    """The source folder while the scenario runs.

    Attributes:
        versions: all versions of all files so far: name, size and mtime_ns.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.versions: list[tuple[str, int, int]] = []

    def publish_zones(self) -> None:
        """Publish the zone lookup."""
        path = self._folder / "taxi_zone_lookup.csv"
        path.write_text(zones())
        os.utime(path, ns=(_FIRST_PUBLISHED, _FIRST_PUBLISHED))

    def publish(self, service: str, month: str, data: "bytes | list[str]") -> bytes:
        """Publish a month, or a new version of it."""
        bytes_ = data if isinstance(data, bytes) else content(service, data)
        path = self._folder / f"{service}_tripdata_{month}.csv.gz"
        at = _FIRST_PUBLISHED + len(self.versions) * 3_600 * 10**9
        path.write_bytes(bytes_)
        os.utime(path, ns=(at, at))
        self.versions.append((path.name, len(bytes_), at))
        return bytes_

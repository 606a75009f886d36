"""The trips of the sample: made up a block of rows at a time, with the dirt that the published files have.

The same request gets the same bytes in every process: chance comes from numpy's generator PCG64, whose stream numpy
promises to keep, and only whole numbers are computed (seconds, cents, hundredths of a mile), because rounding differs
between machines.

What differs between services is in their contracts (``SampleProfile``); when trips begin and end, in ``sample_blocks``;
how numbers become text, in ``sample_tables``.
"""

import os
import struct
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from taxi_platform.errors import disk_errors
from taxi_platform.sources.sample import AIRPORTS
from taxi_platform.sources.sample_blocks import DAY, HOUR, MONDAY, Block, SampleFile, day_number
from taxi_platform.sources.sample_tables import (
    DISTANCES,
    LEAST_CENTS,
    LONGEST,
    OUTLIERS,
    Luck,
    Numbers,
    Texts,
    apply_luck,
    bases,
    miles,
    spread,
    text_table,
    texts_of,
    tolls,
    zones,
)
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

MOST_THREADS = 4  # each holds a block of about 10 MB
ROWS_FOR_A_FAR_DROPOFF = 10_000  # dispatched files as large as this have one drop-off in the year 3019
CONGESTION_FROM = Month(2019, 2)  # until then congestion_surcharge is empty

# What a taxi charges extra in each hour of the week, in cents.
_EXTRAS = np.array((*[50] * 6, *[0] * 10, *[100] * 4, *[50] * 4) * 5 + (*[50] * 6, *[0] * 14, *[50] * 4) * 2)

_JFK, _NEGOTIATED, _GROUP, _UNKNOWN = 2, 5, 6, 99  # rate codes
_CARD, _NO_CHARGE, _DISPUTE = 1, 3, 4  # payment types
_PASSENGERS = (80, 2880, 600, 170, 78, 140, 110, 1, 1, 1)
_TIP_PERCENT = np.array((0, 0, 10, 15, 15, 18, 20, 20, 20, 20, 20, 20, 25, 25, 30, 33))
_AMOUNTS = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount")
_PARTS_OF_TOTAL = (*_AMOUNTS, "improvement_surcharge", "congestion_surcharge", "airport_fee", "cbd_congestion_fee")


def write_month(service: Service, month: Month, rows: int, target: Path) -> None:
    """Write a made-up month with exactly ``rows`` rows to ``target``, a ``.csv.gz``, over whatever is there.

    Raises:
        StorageFull: ``target`` cannot be written.
    """
    sample = SampleFile(service, month, rows)
    with disk_errors(target), target.open("wb") as written:
        written.write(b"\x1f\x8b\x08" + bytes(6) + b"\xff")  # deflate; no flags, no time, no name, no operating system
        crc = size = 0
        with closing(_pieces(sample)) as pieces:
            for deflated, piece_crc, piece_size in pieces:
                written.write(deflated)
                crc = isal_zlib.crc32_combine(crc, piece_crc, piece_size)
                size += piece_size
        written.write(b"\x03\x00" + struct.pack("<II", crc, size & 0xFFFF_FFFF))  # an empty last block of deflate


def _pieces(file: SampleFile) -> Generator[tuple[bytes, int, int]]:
    """Yield the header, then the blocks in order, made by several threads, at most two a thread under way."""

    def made(block: Block) -> tuple[bytes, int, int]:
        return _deflate(csv_of_block(file, block))

    yield _deflate((",".join(column.source for column in file.columns) + "\r\n").encode())
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    under_way: deque[Future[tuple[bytes, int, int]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="sample") as pool:
        for block in file.blocks():
            if len(under_way) == 2 * threads:
                yield under_way.popleft().result()
            under_way.append(pool.submit(made, block))
        while under_way:
            yield under_way.popleft().result()


def _deflate(data: bytes) -> tuple[bytes, int, int]:
    """Compress data separately, so that pieces can be laid end to end in one gzip member; add its CRC and size."""
    compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)  # pyright: ignore[reportUnknownMemberType]
    deflated = compressor.compress(data)  # pyright: ignore[reportUnknownMemberType]
    deflated += compressor.flush(isal_zlib.Z_SYNC_FLUSH)
    return deflated, isal_zlib.crc32(data), len(data)  # pyright: ignore[reportUnknownMemberType]


def csv_of_block(file: SampleFile, block: Block) -> bytes:
    """Return the lines of one block, each with its line end; columns that this module does not know stay empty."""
    if file.service.has("fare_amount"):
        make = _metered if block.part.metered else _unmetered
    else:
        make = _requested if file.service.has("request_datetime") else _dispatched
    values = make(file, block)
    pieces: list[tuple[Texts, Numbers | None]] = []
    for column in file.columns:
        numbers = values.get(column.name)
        if numbers is not None:
            is_time = column.postgres == "timestamp"
            pieces += file.time_texts(numbers) if is_time else [(texts_of(column), numbers)]
        pieces.append((text_table(["\r\n" if column is file.columns[-1] else ","]), None))
    # Lay texts of fixed width side by side, then drop the NUL bytes that fill up the shorter ones.
    layout = np.dtype([(f"{position}", texts.dtype) for position, (texts, _) in enumerate(pieces)])
    matrix: NDArray[np.void] = np.empty(block.rows, layout)
    for position, (texts, numbers) in enumerate(pieces):
        matrix[f"{position}"] = texts[0] if numbers is None else texts.take(numbers)
    flat = np.frombuffer(matrix, dtype=np.uint8)
    return flat[flat != 0].tobytes()


def _metered(file: SampleFile, block: Block) -> dict[str, Numbers]:
    """Make trips from meters. Those that begin in one second end in different ones, by their ranks."""
    service, profile = file.service, file.service.sample
    jitter, far, slow, up, down, luck, people, kind, sort, pay, tip, toll, fee = file.chances(block, 13)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(profile.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 60 + (slow >> 7), rank, block.part.ranks)
    vendor = 1 + spread(profile.vendors)[kind & 4095]
    rate = 1 + spread(profile.rates)[sort >> 4]
    apply_luck(rate, luck, Luck.UNKNOWN_RATE, _UNKNOWN)
    payment = 1 + spread(profile.payments)[pay >> 4]
    slow_minutes = np.maximum(0, seconds // 60 - distance * 3 // 100)
    fare = np.where(rate == _JFK, 5200, 250 + 50 * (distance // 20 + slow_minutes))
    fare = np.where((rate == _NEGOTIATED) | (rate == _GROUP), 1000 + tip // 8, fare)
    apply_luck(fare, luck, Luck.EXPENSIVE, 20_000 + tip * 60_301 // 65_536)
    end = file.ends(block, start, seconds, luck)
    values = {
        service.pickup: start,
        service.dropoff: end,
        "vendorid": vendor,
        "store_and_fwd_flag": (kind >> 12) // 15 * ((slow & 7) // 7),  # 1 in 128
        "ratecodeid": rate,
        "pulocationid": zones(service.name)[up >> 4],
        "dolocationid": zones(service.name)[down >> 4],
        "passenger_count": spread(_PASSENGERS)[people >> 4],
        "trip_distance": _metered_distance(distance, vendor, luck),
        "payment_type": payment,
        "trip_type": np.where(rate == _UNKNOWN, -1, np.where(rate == _NEGOTIATED, 2, 1)),
        "fare_amount": fare,
        "extra": _EXTRAS[(start // HOUR + MONDAY) % len(_EXTRAS)],
        "mta_tax": np.where(rate == _NEGOTIATED, 0, 50),
        "tip_amount": np.where(payment == _CARD, fare * _TIP_PERCENT[tip & 15] // 100, 0),
        "tolls_amount": tolls()[toll >> 4],
        "improvement_surcharge": np.full(block.rows, 30),
    }
    if file.month >= CONGESTION_FROM:
        paying = fee < profile.congestion_per_mille * 65_536 // 1000
        values["congestion_surcharge"] = np.where(paying, profile.congestion_cents, 0)
    values |= _later_fees(file, values["pulocationid"], fee)
    total = values["total_amount"] = _total(values)
    apply_luck(total, luck, Luck.UNEXPLAINED, total + 325)
    _reverse(values, luck)
    return values


def _unmetered(file: SampleFile, block: Block) -> dict[str, Numbers]:
    """Make trips in whole minutes, without a vendor. Those of one minute differ in distance, by their ranks."""
    service, profile = file.service, file.service.sample
    jitter, far, slow, up, down, luck, kind, toll = file.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = _with_rank(miles(profile.median_miles)[far] * 2, rank, block.part.ranks)
    minutes = distance * (3 + (slow & 3)) // 60 + 1 + (slow >> 13)
    end = file.ends(block, start, minutes * 60, luck)
    booked = zones(f"{service.name} without a meter")  # booked trips begin elsewhere than hailed ones
    values = {
        service.pickup: start,
        service.dropoff: end,
        "pulocationid": booked[up >> 4],
        "dolocationid": booked[down >> 4],
        "trip_distance": distance,
        "fare_amount": 780 + distance * 9 // 4 + (slow >> 4),
        "extra": np.full(block.rows, profile.unmetered_extra_cents),
        "mta_tax": np.where((kind & 255) < 60, 50, 0),
        "tip_amount": np.where((kind >> 8) < 150, 275, 0),
        "tolls_amount": tolls()[toll >> 4],
        "improvement_surcharge": np.full(block.rows, 30),
    }
    values |= _later_fees(file, values["pulocationid"], up)
    return {**values, "total_amount": _total(values), "request_source": kind & 7}


def _dispatched(file: SampleFile, block: Block) -> dict[str, Numbers]:
    """Make trips that bases dispatched. Those that begin in one second end in different ones, by their ranks."""
    service = file.service
    jitter, far, slow, up, down, luck, base, kind = file.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(service.sample.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 120 + (slow >> 6), rank, block.part.ranks)
    end = file.ends(block, start, seconds, luck)
    if block.number == 0 and file.rows >= ROWS_FOR_A_FAR_DROPOFF:
        end[block.rows // 2] = day_number("3019-01-01") * DAY
    own = bases()[base >> 4]
    apply_luck(own, luck, Luck.WITHOUT_BASE, -1)
    return {
        "dispatching_base_num": own,
        service.pickup: start,
        service.dropoff: end,
        "pulocationid": np.where((up & 7) < 5, -1, zones(service.name)[up >> 4]),
        "dolocationid": np.where((down & 7) < 3, -1, zones(service.name)[down >> 4]),
        "sr_flag": np.where((kind & 255) < 253, -1, 1),
        "affiliated_base_number": np.where((kind >> 8) < 30, bases()[jitter >> 4], own),
    }


def _requested(file: SampleFile, block: Block) -> dict[str, Numbers]:
    """Make trips that were requested in an app. Those that begin in one second last different times, by their ranks."""
    service = file.service
    jitter, far, slow, up, down, luck, kind, tip, toll, fee = file.chances(block, 10)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(service.sample.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 120 + (slow >> 7), rank, block.part.ranks)
    end = file.ends(block, start, seconds, luck)
    fare = 400 + distance * 2 + seconds // 2
    company = (kind >> 8) // 190  # 0 for about three of four trips, else 1
    pickup_zone = zones(service.name)[up >> 4]
    return {
        "hvfhs_license_num": company,
        "dispatching_base_num": company,
        "originating_base_num": np.where(company == 0, 0, -1),
        "request_datetime": start - 60 - (kind & 255),
        "on_scene_datetime": start - (kind & 31),
        service.pickup: start,
        service.dropoff: end,
        "pulocationid": pickup_zone,
        "dolocationid": zones(service.name)[down >> 4],
        "trip_miles": distance,
        "trip_time": np.minimum(seconds, LONGEST),
        "base_passenger_fare": fare,
        "tolls": tolls()[toll >> 4],
        "bcf": fare // 40,
        "sales_tax": fare * 89 // 1000,
        "congestion_surcharge": np.where(fee < 26_000, 275, 0),
        "airport_fee": np.where(np.isin(pickup_zone, AIRPORTS), 250, 0),
        "tips": np.where(tip < 12_000, tip & 1023, 0),
        "driver_pay": fare * 3 // 4,
        "shared_request_flag": (tip & 127) // 127,
        "shared_match_flag": (tip & 255) // 255,
        "access_a_ride_flag": np.zeros_like(start),
        "wav_request_flag": (slow & 511) // 511,
        "wav_match_flag": (slow & 15) // 15,
        "cbd_congestion_fee": np.where(fee < 20_000, 150, 0),
    }


def _later_fees(file: SampleFile, pickup_zones: Numbers, chance: Numbers) -> dict[str, Numbers]:
    """Return the fees that were added to the contract, of those that the files of the month have."""
    fees = {
        "airport_fee": np.where(np.isin(pickup_zones, AIRPORTS), 175, 0),
        "cbd_congestion_fee": np.where(chance < 32_768, 75, 0),
    }
    return {column.name: fees[column.name] for column in file.columns if column.name in fees}


def _with_rank(numbers: Numbers, rank: Numbers, ranks: int) -> Numbers:
    """Replace the last bits of the numbers by the ranks, which are below the power of two ``ranks``."""
    return numbers - (numbers & (ranks - 1)) + rank


def _metered_distance(distance: Numbers, vendor: Numbers, luck: Numbers) -> Numbers:
    """Return the numbers of the distances' texts; the meters of vendor 1 count tenths of a mile."""
    number = np.where(vendor == 1, distance // 10 * 10, distance)
    apply_luck(number, luck, Luck.UNMOVED, 0)
    apply_luck(number, luck, Luck.PLAINLY_SPELLED, number + DISTANCES)
    apply_luck(number, luck, Luck.OUTLYING, 2 * DISTANCES + distance % len(OUTLIERS))
    return number


def _total(values: dict[str, Numbers]) -> Numbers:
    parts = [values[name] for name in _PARTS_OF_TOTAL if name in values]
    return np.sum(parts, axis=0)


def _reverse(values: dict[str, Numbers], luck: Numbers) -> None:
    """Turn some odd rows into the row before with its amounts negated, as disputed trips are taken back."""
    rows = np.flatnonzero(luck[1::2] < Luck.REVERSED.stop) * 2 + 1
    rows = rows[values["total_amount"][rows - 1] <= -LEAST_CENTS]
    for name, numbers in values.items():
        sign = -1 if name in (*_PARTS_OF_TOTAL, "total_amount") else 1
        numbers[rows] = numbers[rows - 1] * sign
    values["payment_type"][rows] = np.where(luck[rows] & 1, _NO_CHARGE, _DISPUTE)

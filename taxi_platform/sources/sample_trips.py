"""The trips of the sample: made up a block of rows at a time, with the dirt that the published files have.

The same request gets the same bytes in every process: chance comes from numpy's generator PCG64, whose stream numpy
promises to keep, and only whole numbers are computed (seconds, cents, hundredths of a mile), because rounding differs
between machines. Numbers become text by tables, so that none is formatted twice; this makes the sample fast.

What differs between services is in their contracts (``SampleProfile``).
"""

import calendar
import itertools
import math
import os
import struct
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from taxi_platform.errors import disk_errors
from taxi_platform.sources.sample import AIRPORTS, GENERATION, figure_at
from taxi_platform.trips.columns import Column
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Numbers = NDArray[np.int64]
Texts = NDArray[np.bytes_]

MOST_THREADS = 4  # each holds a block of about 10 MB
BLOCK_ROWS = 30_000
ROWS_PER_STRAY = 15_000
FEWEST_ROWS_FOR_A_STRAY = 1_000
ROWS_FOR_A_FAR_DROPOFF = 10_000  # dispatched files as large as this have one drop-off in the year 3019
CONGESTION_FROM = Month(2019, 2)  # until then congestion_surcharge is empty

_HOUR, _DAY = 3600, 24 * 3600
# Trips that begin in each hour of the day, compared with the others, and what a taxi charges extra then, in cents.
_WEEKDAY = (20, 12, 8, 6, 7, 12, 26, 46, 57, 54, 51, 52, 55, 55, 59, 61, 57, 66, 76, 74, 67, 63, 56, 38)
_WEEKEND = (56, 48, 38, 27, 17, 9, 11, 15, 24, 36, 46, 53, 58, 58, 58, 58, 57, 60, 65, 62, 55, 55, 58, 52)
_BUSY = np.array((*_WEEKDAY * 5, *_WEEKEND * 2))
_EXTRAS = np.array((*[50] * 6, *[0] * 10, *[100] * 4, *[50] * 4) * 5 + (*[50] * 6, *[0] * 14, *[50] * 4) * 2)
_MONDAY = 72  # hours to add to those since 1970, a Thursday, to count from a Monday

# What befalls a row: exclusive ranges of its luck, which is a number from 0 to 65,535.
_REVERSED = range(0, 500)  # repeats the row before with negative amounts; odd rows only, so about 1 in 260
_DAY_LONG = range(500, 570)
_BACKWARDS = range(570, 573)  # ends before it begins
_OUTLYING = range(573, 576)  # has travelled around the Earth
_PLAINLY_SPELLED = range(576, 900)  # 7 for 7.00 miles
_UNMOVED = range(900, 2_600)  # .00 miles
_UNEXPLAINED = range(2_600, 2_665)  # total_amount is not the sum of its parts
_EXPENSIVE = range(2_665, 2_668)  # a fare of 200 to 803 dollars
_UNKNOWN_RATE = range(2_668, 2_690)
_WITHOUT_BASE = range(2_690, 2_693)

_JFK, _NEGOTIATED, _GROUP, _UNKNOWN = 2, 5, 6, 99  # rate codes
_CARD, _NO_CHARGE, _DISPUTE = 1, 3, 4  # payment types
_PASSENGERS = (80, 2880, 600, 170, 78, 140, 110, 1, 1, 1)
_TIP_PERCENT = np.array((0, 0, 10, 15, 15, 18, 20, 20, 20, 20, 20, 20, 25, 25, 30, 33))
_AMOUNTS = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount")
_PARTS_OF_TOTAL = (*_AMOUNTS, "improvement_surcharge", "congestion_surcharge", "airport_fee", "cbd_congestion_fee")

_TOLL_SHARES = {0: 3860, 612: 200, 1224: 14, 280: 12, 229: 6, 1375: 2, 576: 1, 1836: 1}  # by cents
_OUTLIERS = ("15213.47", "31400.02", "48881.90", "62057.75", "99614.08", "120300.33", "173452.61", "205006.19")
_LONGEST = 39_999  # seconds that trips claim to last
_MOST_CENTS, _LEAST_CENTS = 120_000, -20_000
_DISTANCES = 8192  # distances known by their hundredths of a mile


def write_month(service: Service, month: Month, rows: int, target: Path) -> None:
    """Write a made-up month with exactly ``rows`` rows to ``target``, a ``.csv.gz``, over whatever is there.

    Raises:
        StorageFull: ``target`` cannot be written.
    """
    plan = Plan(service, month, rows)
    with disk_errors(target), target.open("wb") as file:
        file.write(b"\x1f\x8b\x08" + bytes(6) + b"\xff")  # deflate; no flags, no time, no name, no operating system
        crc = size = 0
        with closing(_pieces(plan)) as pieces:
            for deflated, piece_crc, piece_size in pieces:
                file.write(deflated)
                crc = isal_zlib.crc32_combine(crc, piece_crc, piece_size)
                size += piece_size
        file.write(b"\x03\x00" + struct.pack("<II", crc, size & 0xFFFF_FFFF))  # an empty last block of deflate


def _pieces(plan: "Plan") -> Generator[tuple[bytes, int, int]]:
    """Yield the header, then the blocks in order, made by several threads, at most two a thread under way."""

    def made(block: Block) -> tuple[bytes, int, int]:
        return _deflate(csv_of_block(plan, block))

    yield _deflate((",".join(column.source for column in plan.columns) + "\r\n").encode())
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    under_way: deque[Future[tuple[bytes, int, int]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="sample") as pool:
        for block in plan.blocks():
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


# Time: when the trips of each block begin


class Part:
    """The rows of a file that are reported alike, spread over the hours of the month.

    Attributes:
        metered: whether meters reported them; without one, trips carry whole minutes and no vendor.
        ranks: a power of two. No two rows that begin in the same second (minute, when not metered) have the same
            rank below it; a column that keeps the rank in its last bits makes all rows differ.
    """

    def __init__(self, plan: "Plan", rows: int, *, metered: bool) -> None:
        self.metered = metered
        self._first_hour = plan.first_hour
        shares = np.cumsum(plan.weights)
        ends = shares * rows // shares[-1]
        self._starts = np.concatenate(([0], ends[:-1]))
        self._counts = ends - self._starts
        self._strides = np.array([_stride(count) for count in self._counts.tolist()])
        at_once = int(self._counts.max()) // (_HOUR if metered else 60) + 3
        self.ranks = 1 << max(3, at_once.bit_length())

    def times(self, first: int, last: int, chance: Numbers) -> tuple[Numbers, Numbers]:
        """Return when rows ``first`` to ``last`` begin, in seconds since 1970, and their ranks.

        Hours follow each other; within an hour the rows are in no order, as in the published files.
        """
        rows = np.arange(first, last, dtype=np.int64)
        hour = np.searchsorted(self._starts, rows, side="right") - 1
        count = self._counts[hour]
        place = (rows - self._starts[hour]) * self._strides[hour] % count
        second = (place * _HOUR + (chance * _HOUR >> 16)) // count
        if not self.metered:
            second -= second % 60
        return (self._first_hour + hour) * _HOUR + second, place & (self.ranks - 1)


@dataclass(frozen=True)
class Block:
    """Rows ``first`` to ``last`` of a part, the ``number``-th block of the file."""

    number: int
    part: Part
    first: int
    last: int

    @property
    def rows(self) -> int:
        """The number of its rows."""
        return self.last - self.first


class Plan:
    """What every block of one file has in common."""

    def __init__(self, service: Service, month: Month, rows: int) -> None:
        self.service, self.month, self.rows = service, month, rows
        self.columns = service.columns_of(month)
        first = _day_number(f"{month}-01")
        days = calendar.monthrange(month.year, month.month)[1]
        self.first_hour = first * 24
        self.weights = busy(self.first_hour + np.arange(days * 24))
        # Clocks that are wrong, late or early: the days outside the month on which some pickups are dated.
        wrong = {*map(_day_number, ("2008-12-31", "2009-01-01", "2041-08-17")), first - 1, first - 11, first + days}
        self.stray_days = np.array(sorted(wrong - set(range(first, first + days))))
        self._text_hour = (first - 12) * 24
        self._hours = _hour_texts(self._text_hour + np.arange((days + 16) * 24))

    def blocks(self) -> Iterator[Block]:
        """Yield the file's blocks in order: the metered trips, then those without a vendor."""
        unmetered = self.rows * figure_at(self.service.sample.unmetered, self.month) // 1000
        number = 0
        for metered, rows in ((True, self.rows - unmetered), (False, unmetered)):
            if rows:
                part = Part(self, rows, metered=metered)
                for first in range(0, rows, BLOCK_ROWS):
                    yield Block(number, part, first, min(rows, first + BLOCK_ROWS))
                    number += 1

    def chances(self, block: Block, columns: int) -> Numbers:
        """Return random numbers from 0 to 65,535 as ``[column, row]``, ``columns`` for each row of a block.

        They are raw output of the generator, because its distributions may change between releases of numpy.
        """
        name = int.from_bytes(self.service.name.encode(), "big")
        seed = np.random.SeedSequence([GENERATION, name, self.month.year, self.month.month, block.number])
        raw: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(-(-columns * block.rows // 4))
        chances = np.frombuffer(raw.astype("<u8"), dtype="<u2", count=columns * block.rows)
        return np.reshape(chances.astype(np.int64), (columns, block.rows))

    def ends(self, block: Block, start: Numbers, seconds: Numbers, luck: Numbers) -> Numbers:
        """Move some pickups out of the month, and return when all trips end, some of them long after or before.

        One pickup in 15,000 is moved, no two to the same second, and in even rows only, because an odd row may be the
        reversal of the row before.
        """
        count = block.rows // ROWS_PER_STRAY
        if block.number == 0 and self.rows >= FEWEST_ROWS_FOR_A_STRAY:
            count = max(1, count)
        number = np.arange(count, dtype=np.int64)
        room = min(block.rows, ROWS_PER_STRAY) // 2
        rows = number * ROWS_PER_STRAY + 2 * (luck[:count] * room >> 16)
        number += block.number * (BLOCK_ROWS // ROWS_PER_STRAY)
        # 7919 shares no factor with the seconds of a day.
        start[rows] = self.stray_days[number % len(self.stray_days)] * _DAY + number * 7919 % _DAY
        _befall(seconds, luck, _DAY_LONG, seconds + _DAY)
        _befall(seconds, luck, _BACKWARDS, -1 - seconds)
        return start + seconds

    def time_texts(self, moments: Numbers) -> list[tuple[Texts, Numbers]]:
        """Return tables, and which of their texts to join for each moment: ``2019-03-01 00:`` and ``59:59``."""
        hour = moments // _HOUR
        index, hours = hour - self._text_hour, self._hours
        far = np.flatnonzero((index < 0) | (index >= len(hours)))
        if far.size:
            index[far] = len(hours) + np.arange(far.size)
            hours = np.concatenate([hours, _hour_texts(hour[far])])
        return [(hours, index), (_texts("59:59"), moments - hour * _HOUR)]


def busy(hours: Numbers) -> Numbers:
    """Return how many trips begin in each of these hours since 1970, compared with the others."""
    return _BUSY[(hours + _MONDAY) % len(_BUSY)]


def _day_number(day: str) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


def _stride(count: int) -> int:
    """Return a step that visits each of ``count`` places once before it comes back, jumping about."""
    first = max(1, count * 618 // 1000)
    return next(stride for stride in itertools.count(first) if math.gcd(stride, count) == 1)


# Trips: what stands in each column


def csv_of_block(plan: Plan, block: Block) -> bytes:
    """Return the lines of one block, each with its line end; columns that nothing is known of stay empty."""
    if plan.service.has("fare_amount"):
        make = _metered if block.part.metered else _unmetered
    else:
        make = _requested if plan.service.has("request_datetime") else _dispatched
    values = make(plan, block)
    pieces: list[tuple[Texts, Numbers | None]] = []
    for column in plan.columns:
        numbers = values.get(column.name)
        if numbers is not None:
            is_time = column.postgres == "timestamp"
            pieces += plan.time_texts(numbers) if is_time else [(texts_of(column), numbers)]
        pieces.append((text_table(["\r\n" if column is plan.columns[-1] else ","]), None))
    # Lay texts of fixed width side by side, then drop the NUL bytes that fill up the shorter ones.
    layout = np.dtype([(f"{position}", texts.dtype) for position, (texts, _) in enumerate(pieces)])
    matrix: NDArray[np.void] = np.empty(block.rows, layout)
    for position, (texts, numbers) in enumerate(pieces):
        matrix[f"{position}"] = texts[0] if numbers is None else texts.take(numbers)
    flat = np.frombuffer(matrix, dtype=np.uint8)
    return flat[flat != 0].tobytes()


def _metered(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Make trips from meters. Those that begin in one second end in different ones, by their ranks."""
    service, profile = plan.service, plan.service.sample
    jitter, far, slow, up, down, luck, people, kind, sort, pay, tip, toll, fee = plan.chances(block, 13)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(profile.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 60 + (slow >> 7), rank, block.part.ranks)
    vendor = 1 + spread(profile.vendors)[kind & 4095]
    rate = 1 + spread(profile.rates)[sort >> 4]
    _befall(rate, luck, _UNKNOWN_RATE, _UNKNOWN)
    payment = 1 + spread(profile.payments)[pay >> 4]
    slow_minutes = np.maximum(0, seconds // 60 - distance * 3 // 100)
    fare = np.where(rate == _JFK, 5200, 250 + 50 * (distance // 20 + slow_minutes))
    fare = np.where((rate == _NEGOTIATED) | (rate == _GROUP), 1000 + tip // 8, fare)
    _befall(fare, luck, _EXPENSIVE, 20_000 + tip * 60_301 // 65_536)
    end = plan.ends(block, start, seconds, luck)
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
        "extra": _EXTRAS[(start // _HOUR + _MONDAY) % len(_EXTRAS)],
        "mta_tax": np.where(rate == _NEGOTIATED, 0, 50),
        "tip_amount": np.where(payment == _CARD, fare * _TIP_PERCENT[tip & 15] // 100, 0),
        "tolls_amount": tolls()[toll >> 4],
        "improvement_surcharge": np.full(block.rows, 30),
    }
    if plan.month >= CONGESTION_FROM:
        paying = fee < profile.congestion_per_mille * 65_536 // 1000
        values["congestion_surcharge"] = np.where(paying, profile.congestion_cents, 0)
    values |= _later_fees(plan, values["pulocationid"], fee)
    total = values["total_amount"] = _total(values)
    _befall(total, luck, _UNEXPLAINED, total + 325)
    _reverse(values, luck)
    return values


def _unmetered(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Make trips in whole minutes, without a vendor. Those of one minute differ in distance, by their ranks."""
    service, profile = plan.service, plan.service.sample
    jitter, far, slow, up, down, luck, kind, toll = plan.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = _with_rank(miles(profile.median_miles)[far] * 2, rank, block.part.ranks)
    minutes = distance * (3 + (slow & 3)) // 60 + 1 + (slow >> 13)
    end = plan.ends(block, start, minutes * 60, luck)
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
    values |= _later_fees(plan, values["pulocationid"], up)
    return {**values, "total_amount": _total(values), "request_source": kind & 7}


def _dispatched(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Make trips that bases dispatched. Those that begin in one second end in different ones, by their ranks."""
    service = plan.service
    jitter, far, slow, up, down, luck, base, kind = plan.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(service.sample.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 120 + (slow >> 6), rank, block.part.ranks)
    end = plan.ends(block, start, seconds, luck)
    if block.number == 0 and plan.rows >= ROWS_FOR_A_FAR_DROPOFF:
        end[block.rows // 2] = _day_number("3019-01-01") * _DAY
    own = bases()[base >> 4]
    _befall(own, luck, _WITHOUT_BASE, -1)
    return {
        "dispatching_base_num": own,
        service.pickup: start,
        service.dropoff: end,
        "pulocationid": np.where((up & 7) < 5, -1, zones(service.name)[up >> 4]),
        "dolocationid": np.where((down & 7) < 3, -1, zones(service.name)[down >> 4]),
        "sr_flag": np.where((kind & 255) < 253, -1, 1),
        "affiliated_base_number": np.where((kind >> 8) < 30, bases()[jitter >> 4], own),
    }


def _requested(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Make trips that were requested in an app. Those that begin in one second last different times, by their ranks."""
    service = plan.service
    jitter, far, slow, up, down, luck, kind, tip, toll, fee = plan.chances(block, 10)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(service.sample.median_miles)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 120 + (slow >> 7), rank, block.part.ranks)
    end = plan.ends(block, start, seconds, luck)
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
        "trip_time": np.minimum(seconds, _LONGEST),
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


def _later_fees(plan: Plan, pickup_zones: Numbers, chance: Numbers) -> dict[str, Numbers]:
    """Return the fees that were added to the contract, of those that the files of the month have."""
    fees = {
        "airport_fee": np.where(np.isin(pickup_zones, AIRPORTS), 175, 0),
        "cbd_congestion_fee": np.where(chance < 32_768, 75, 0),
    }
    return {column.name: fees[column.name] for column in plan.columns if column.name in fees}


def _befall(numbers: Numbers, luck: Numbers, odds: range, result: Numbers | int) -> None:
    """Replace the numbers of the rows whose luck lies in ``odds``."""
    np.copyto(numbers, result, where=(luck >= odds.start) & (luck < odds.stop))


def _with_rank(numbers: Numbers, rank: Numbers, ranks: int) -> Numbers:
    """Replace the last bits of the numbers by the ranks, which are below the power of two ``ranks``."""
    return numbers - (numbers & (ranks - 1)) + rank


def _metered_distance(distance: Numbers, vendor: Numbers, luck: Numbers) -> Numbers:
    """Return the numbers of the distances' texts; the meters of vendor 1 count tenths of a mile."""
    number = np.where(vendor == 1, distance // 10 * 10, distance)
    _befall(number, luck, _UNMOVED, 0)
    _befall(number, luck, _PLAINLY_SPELLED, number + _DISTANCES)
    _befall(number, luck, _OUTLYING, 2 * _DISTANCES + distance % len(_OUTLIERS))
    return number


def _total(values: dict[str, Numbers]) -> Numbers:
    parts = [values[name] for name in _PARTS_OF_TOTAL if name in values]
    return np.sum(parts, axis=0)


def _reverse(values: dict[str, Numbers], luck: Numbers) -> None:
    """Turn some odd rows into the row before with its amounts negated, as disputed trips are taken back."""
    rows = np.flatnonzero(luck[1::2] < _REVERSED.stop) * 2 + 1
    rows = rows[values["total_amount"][rows - 1] <= -_LEAST_CENTS]
    for name, numbers in values.items():
        sign = -1 if name in (*_PARTS_OF_TOTAL, "total_amount") else 1
        numbers[rows] = numbers[rows - 1] * sign
    values["payment_type"][rows] = np.where(luck[rows] & 1, _NO_CHARGE, _DISPUTE)


# Tables: items by bits of chance, and texts by number


@cache
def spread(shares: Sequence[int]) -> Numbers:
    """Return the items' positions, each repeated by its share, as a table that 12 bits of chance choose from."""
    bounds = np.cumsum(np.array(shares, dtype=np.int64)) * 4096 // sum(shares)
    return np.searchsorted(bounds, np.arange(4096), side="right").astype(np.int64)


@cache
def zones(popularity: str) -> Numbers:
    """Return zones by 12 bits of chance: a few are visited all the time, most now and then (Zipf's law)."""
    factor = int.from_bytes(popularity.encode(), "big") % 65_536 + 1
    order = sorted(range(1, 266), key=lambda zone: zone**3 * factor % 65_537)
    return np.array(order, dtype=np.int64)[spread(tuple(1_000_000 // (rank + 4) for rank in range(265)))]


@cache
def bases() -> Numbers:
    """Return dispatching bases by 12 bits of chance."""
    return spread(tuple(1_000_000 // (rank + 10) for rank in range(700)))


@cache
def tolls() -> Numbers:
    """Return tolls in cents by 12 bits of chance."""
    return np.array(list(_TOLL_SHARES), dtype=np.int64)[spread(tuple(_TOLL_SHARES.values()))]


@cache
def miles(median: float) -> Numbers:
    """Return hundredths of a mile by 16 bits of chance: log-logistic, of shape 2, cut at 40 miles.

    Square roots and quotients are exact to the last bit on every machine; logarithms are not.
    """
    chance = np.arange(65_536) + 0.5
    return np.minimum(round(median * 100) * np.sqrt(chance / (65_536 - chance)), 4000).astype(np.int64)


def texts_of(column: Column) -> Texts:
    """Return the texts that a column's numbers stand for; in columns without a unit, -1 is an empty field."""
    if column.unit in ("US dollars", "miles", "seconds"):
        return _texts(column.unit)
    if column.name.endswith("_flag") and not column.is_code:
        return text_table("NY")
    if column.name == "hvfhs_license_num":
        return text_table(["HV0003", "HV0005"])
    if column.name == "request_source":
        return text_table(["A", "CC", "EH0004", "EH0010", "HV0003", "HV0003", "HV0005", "HV0005"])
    return _texts("codes" if column.is_code or column.postgres == "integer" else "licences")


@cache
def _texts(kind: str) -> Texts:
    """Return the texts of all numbers of one kind; ``59:59`` is the second of the hour."""
    if kind == "US dollars":  # without needless zeros, 7, 6.5, 12.24; then the negative ones, -200 to -0.01
        fractions = [f".{cents:02d}".rstrip("0").rstrip(".") for cents in range(100)]
        amounts = [f"{whole}{fraction}" for whole in range(_MOST_CENTS // 100) for fraction in fractions]
        return text_table([*amounts, *(f"-{amount}" for amount in reversed(amounts[1 : 1 - _LEAST_CENTS]))])
    if kind == "miles":  # as meters spell them (.68, 7.00), then plainly (0.68, 7), then the outliers
        metered = [f"{hundredths // 100 or ''}.{hundredths % 100:02d}" for hundredths in range(_DISTANCES)]
        plain = [(f"0{text}" if text[0] == "." else text).rstrip("0").rstrip(".") or "0" for text in metered]
        return text_table([*metered, *plain, *_OUTLIERS])
    if kind == "seconds":
        return text_table([str(second) for second in range(_LONGEST + 1)])
    if kind == "59:59":
        return text_table([f"{second // 60:02d}:{second % 60:02d}" for second in range(3600)])
    if kind == "licences":
        return text_table([*(f"B{number * 137 % 99_991:05d}" for number in range(1, 701)), ""])
    return text_table([*map(str, range(300)), ""])


def text_table(texts: Sequence[str]) -> Texts:
    """Return texts as an array of fixed width."""
    return np.array([text.encode() for text in texts])


def _hour_texts(hours: Numbers) -> Texts:
    """Return ``2019-03-01 00:`` for each hour since 1970."""
    return text_table([f"{hour}:".replace("T", " ") for hour in hours.astype("datetime64[h]").astype(str).tolist()])

"""Made-up trips, a block of rows at a time, with the dirt that the published files have.

Only whole numbers are computed (seconds, cents, hundredths of a mile, positions in tables of texts), because rounding
differs between machines. How numbers are spelled belongs in ``texts``, when trips begin in ``blocks``,
and how often things happen in ``chances``. Slow to import, as numpy is.
"""

import numpy as np

from taxi_platform.sources.sample import chances as odds
from taxi_platform.sources.sample.blocks import Block, Numbers, Plan
from taxi_platform.sources.sample.chances import bases, befall, miles, spread, stray_and_end, tolls, zones
from taxi_platform.sources.sample.clock import HOUR_SECONDS
from taxi_platform.sources.sample.texts import FIRST_OUTLIER, OUTLIERS, PAYMENTS, PLAIN, RATES, VENDORS, join_columns
from taxi_platform.trips.months import Month

ROWS_FOR_A_FAR_DROPOFF = 10_000  # for-hire files as large as this have one drop-off in the year 3019
CONGESTION_FROM = Month(2019, 2)  # until then congestion_surcharge is empty

_MOST_REVERSED_CENTS = 20_000
_PARTS_OF_TOTAL = (
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "congestion_surcharge",
)
_CARD, _NO_CHARGE, _DISPUTE = (PAYMENTS.index(code) for code in "134")
_JFK, _NEGOTIATED, _GROUP, _UNKNOWN = (RATES.index(code) for code in ("2", "5", "6", "99"))

# Shares of passengers from 0 to 9, and of codes in the order of their texts.
_PASSENGERS = (80, 2880, 600, 170, 78, 140, 110, 1, 1, 1)
_VENDORS = {"yellow": (35, 65), "green": (17, 83)}
_RATES = {"yellow": (3960, 95, 10, 3, 27, 1), "green": (3920, 8, 3, 2, 162, 1)}
_PAYMENTS = {"yellow": (2880, 1170, 30, 15, 1), "green": (2240, 1820, 25, 10, 1)}
_TIP_PERCENT = np.array((0, 0, 10, 15, 15, 18, 20, 20, 20, 20, 20, 20, 25, 25, 30, 33))
_CONGESTION_CENTS = {"yellow": 250, "green": 275}
_CONGESTION_CHANCE = {"yellow": 60_000, "green": 12_000}  # of 65,536
_UNMETERED_EXTRA_CENTS = {"yellow": 275, "green": 0}


def csv_of_block(plan: Plan, block: Block) -> bytes:
    """The lines of one block, each with its line end."""
    trips = _for_hire if plan.service.name == "fhv" else _metered if block.part.metered else _unmetered
    return join_columns(plan.service.columns, trips(plan, block), plan.clock.hours, block.rows)


def _metered(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Trips from meters. Those that begin in one second end in different ones, by their ranks."""
    name = plan.service.name
    jitter, far, slow, up, down, luck, people, kind, sort, pay, tip, toll, fee = plan.chances(block, 13)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = miles(name)[far]
    seconds = _with_rank(distance * (2 + (slow & 3)) + 60 + (slow >> 7), rank, block.part.ranks)
    vendor = spread(_VENDORS[name])[kind & 4095]
    rate = spread(_RATES[name])[sort >> 4]
    befall(rate, luck, odds.UNKNOWN_RATE, _UNKNOWN)
    payment = spread(_PAYMENTS[name])[pay >> 4]
    fare = _metered_fare(distance, seconds, rate, tip, luck)
    end = stray_and_end(plan, block, start, seconds, luck)
    values = {
        "vendorid": vendor,
        **_when(plan, start, end),
        "store_and_fwd_flag": (kind >> 12) // 15 * ((slow & 7) // 7),  # 1 in 128
        "ratecodeid": rate,
        "pulocationid": zones(name)[up >> 4],
        "dolocationid": zones(name)[down >> 4],
        "passenger_count": spread(_PASSENGERS)[people >> 4],
        "trip_distance": _metered_distance(distance, vendor, luck),
        "payment_type": payment,
        "trip_type": np.where(rate == _UNKNOWN, 0, np.where(rate == _NEGOTIATED, 2, 1)),
        "fare_amount": fare,
        "extra": plan.clock.extras[start // HOUR_SECONDS],
        "mta_tax": np.where(rate == _NEGOTIATED, 0, 50),
        "tip_amount": np.where(payment == _CARD, fare * _TIP_PERCENT[tip & 15] // 100, 0),
        "tolls_amount": tolls()[toll >> 4],
        "improvement_surcharge": np.full(block.rows, 30),
    }
    if plan.month >= CONGESTION_FROM:
        values["congestion_surcharge"] = np.where(fee < _CONGESTION_CHANCE[name], _CONGESTION_CENTS[name], 0)
    total = values["total_amount"] = _total(values)
    befall(total, luck, odds.UNEXPLAINED, total + 325)
    _reverse(values, luck)
    return values


def _unmetered(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Trips in whole minutes, without a vendor. Those that begin in one minute differ in distance, by their ranks."""
    name = plan.service.name
    jitter, far, slow, up, down, luck, kind, toll = plan.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    distance = _with_rank(miles(name)[far] * 2, rank, block.part.ranks)
    minutes = distance * (3 + (slow & 3)) // 60 + 1 + (slow >> 13)
    end = stray_and_end(plan, block, start, minutes * 60, luck)
    values = {
        **_when(plan, start, end),
        "pulocationid": zones("fhv")[up >> 4],  # such trips are booked, and begin elsewhere than hailed ones
        "dolocationid": zones("fhv")[down >> 4],
        "trip_distance": distance,
        "fare_amount": 780 + distance * 9 // 4 + (slow >> 4),
        "extra": np.full(block.rows, _UNMETERED_EXTRA_CENTS[name]),
        "mta_tax": np.where((kind & 255) < 60, 50, 0),
        "tip_amount": np.where((kind >> 8) < 150, 275, 0),
        "tolls_amount": tolls()[toll >> 4],
        "improvement_surcharge": np.full(block.rows, 30),
    }
    return {**values, "total_amount": _total(values)}


def _for_hire(plan: Plan, block: Block) -> dict[str, Numbers]:
    """Trips that bases dispatched. Those that begin in one second end in different ones, by their ranks."""
    jitter, far, slow, up, down, luck, base, kind = plan.chances(block, 8)
    start, rank = block.part.times(block.first, block.last, jitter)
    seconds = _with_rank(miles("fhv")[far] * (2 + (slow & 3)) + 120 + (slow >> 6), rank, block.part.ranks)
    end = stray_and_end(plan, block, start, seconds, luck)
    if block.number == 0 and plan.rows >= ROWS_FOR_A_FAR_DROPOFF:
        end[block.rows // 2] = plan.clock.far * HOUR_SECONDS + far[0] % HOUR_SECONDS
    own = bases()[base >> 4]
    befall(own, luck, odds.WITHOUT_BASE, 0)
    return {
        "dispatching_base_num": own,
        **_when(plan, start, end),
        "pulocationid": np.where((up & 7) < 5, 0, zones("fhv")[up >> 4]),
        "dolocationid": np.where((down & 7) < 3, 0, zones("fhv")[down >> 4]),
        "sr_flag": (kind & 255) // 253,
        "affiliated_base_number": np.where((kind >> 8) < 30, bases()[jitter >> 4], own),
    }


def _when(plan: Plan, start: Numbers, end: Numbers) -> dict[str, Numbers]:
    pickup, dropoff = (column.name for column in plan.service.columns if column.postgres == "timestamp")
    return {pickup: start, dropoff: end}


def _with_rank(numbers: Numbers, rank: Numbers, ranks: int) -> Numbers:
    """The numbers with their last bits replaced by the ranks, which are below the power of two ``ranks``."""
    return numbers - (numbers & (ranks - 1)) + rank


def _metered_fare(distance: Numbers, seconds: Numbers, rate: Numbers, chance: Numbers, luck: Numbers) -> Numbers:
    """Half dollars by distance and slow minutes, in cents; flat from the airport, anything when negotiated."""
    slow_minutes = np.maximum(0, seconds // 60 - distance * 3 // 100)
    fare = 250 + 50 * (distance // 20 + slow_minutes)
    fare = np.where(rate == _JFK, 5200, fare)
    fare = np.where((rate == _NEGOTIATED) | (rate == _GROUP), 1000 + chance // 8, fare)
    befall(fare, luck, odds.EXPENSIVE, 20_000 + chance * 60_301 // 65_536)
    return fare


def _metered_distance(distance: Numbers, vendor: Numbers, luck: Numbers) -> Numbers:
    """The numbers of the distances' texts; the meters of vendor 1 count tenths of a mile."""
    number = np.where(vendor == VENDORS.index("1"), distance // 10 * 10, distance)
    befall(number, luck, odds.UNMOVED, 0)
    befall(number, luck, odds.PLAINLY_SPELLED, number + PLAIN)
    befall(number, luck, odds.OUTLYING, FIRST_OUTLIER + distance % len(OUTLIERS))
    return number


def _total(values: dict[str, Numbers]) -> Numbers:
    total = np.zeros_like(values["fare_amount"])
    for name in _PARTS_OF_TOTAL:
        if name in values:
            total += values[name]
    return total


def _reverse(values: dict[str, Numbers], luck: Numbers) -> None:
    """Turn some odd rows into the row before with its amounts negated, as disputed trips are taken back."""
    rows = np.flatnonzero(luck[1::2] < odds.REVERSED.stop) * 2 + 1
    rows = rows[values["total_amount"][rows - 1] <= _MOST_REVERSED_CENTS]
    for name, numbers in values.items():
        sign = -1 if name in (*_PARTS_OF_TOTAL, "total_amount") else 1
        numbers[rows] = numbers[rows - 1] * sign
    values["payment_type"][rows] = np.where(luck[rows] & 1, _NO_CHARGE, _DISPUTE)

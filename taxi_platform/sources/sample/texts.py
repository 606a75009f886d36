"""The spellings that made-up trips use, as tables to look them up in, and the joining of columns to CSV text.

Looking texts up by number is what makes the sample fast: no number is formatted twice. Which number a row gets does
not belong here (see ``trips``). Slow to import, as numpy is.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from taxi_platform.sources.sample.clock import HOUR_SECONDS
from taxi_platform.trips.columns import Column

Texts = NDArray[np.bytes_]
Numbers = NDArray[np.int64]

LINE_END = "\r\n"
ZONES = 265
BASES = 700
DISTANCES = 8192  # distances known by their hundredths of a mile
PLAIN = DISTANCES  # added to a distance's number for its other spelling, 7 for 7.00 and 0.5 for .50
OUTLIERS = ("15213.47", "31400.02", "48881.90", "62057.75", "99614.08", "120300.33", "173452.61", "205006.19")
FIRST_OUTLIER = 2 * DISTANCES

VENDORS = ("1", "2")
RATES = ("1", "2", "3", "4", "5", "6", "99")
PAYMENTS = ("1", "2", "3", "4", "5")

_MOST_CENTS, _LEAST_CENTS = 120_000, -20_000


@cache
def texts_by_column() -> Mapping[str, Texts]:
    """The texts that the numbers of each column stand for, timestamps apart; negative numbers count from the end."""
    money = _money()
    zones = _texts(["", *(str(zone) for zone in range(1, ZONES + 1))])
    bases = _texts(["", *(f"B{number * 137 % 99_991:05d}" for number in range(1, BASES + 1))])
    dollars = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge")
    return {
        "vendorid": _texts(VENDORS),
        "store_and_fwd_flag": _texts("NY"),
        "ratecodeid": _texts(RATES),
        "pulocationid": zones,
        "dolocationid": zones,
        "passenger_count": _texts("0123456789"),
        "trip_distance": _distances(),
        **dict.fromkeys((*dollars, "total_amount", "congestion_surcharge"), money),
        "payment_type": _texts(PAYMENTS),
        "trip_type": _texts(["", "1", "2"]),
        "dispatching_base_num": bases,
        "affiliated_base_number": bases,
        "sr_flag": _texts(["", "1"]),
    }


def join_columns(columns: Sequence[Column], values: Mapping[str, Numbers], hours: Texts, rows: int) -> bytes:
    """The CSV lines of a block: each column's numbers looked up, columns without numbers left empty.

    Args:
        columns: the columns in their order in the file.
        values: for each column's name the numbers of its texts, or its moments, one a row.
        hours: the texts of the moments' hours.
        rows: how many rows the block has.
    """
    pieces: list[tuple[Texts, Numbers | None]] = []
    comma, line_end = _texts([","]), _texts([LINE_END])
    for column in columns:
        numbers = values.get(column.name)
        if numbers is not None and column.postgres == "timestamp":
            hour = numbers // HOUR_SECONDS
            pieces += [(hours, hour), (_seconds(), numbers - hour * HOUR_SECONDS)]
        elif numbers is not None:
            pieces.append((texts_by_column()[column.name], numbers))
        pieces.append((line_end if column is columns[-1] else comma, None))
    return _join(pieces, rows)


def _join(pieces: Sequence[tuple[Texts, Numbers | None]], rows: int) -> bytes:
    """Lay texts of fixed width side by side, then drop the NUL bytes that fill up the shorter ones."""
    layout = np.dtype([(f"{position}", texts.dtype) for position, (texts, _) in enumerate(pieces)])
    matrix: NDArray[np.void] = np.empty(rows, layout)
    for position, (texts, numbers) in enumerate(pieces):
        matrix[f"{position}"] = texts[0] if numbers is None else texts.take(numbers)
    flat = np.frombuffer(matrix, dtype=np.uint8)
    return flat[flat != 0].tobytes()


@cache
def _seconds() -> Texts:
    return _texts([f"{second // 60:02d}:{second % 60:02d}" for second in range(HOUR_SECONDS)])


@cache
def _money() -> Texts:
    """Cents as dollars without needless zeros, 7, 6.5, 12.24; then the negative ones, -200 to -0.01."""
    fractions = [f".{cents:02d}".rstrip("0").rstrip(".") for cents in range(100)]
    amounts = [f"{whole}{fraction}" for whole in range(_MOST_CENTS // 100) for fraction in fractions]
    return _texts([*amounts, *(f"-{amount}" for amount in reversed(amounts[1 : 1 - _LEAST_CENTS]))])


@cache
def _distances() -> Texts:
    """Hundredths of a mile the way meters write them (.68, 7.00), then plainly (0.68, 7), then the outliers."""
    metered = [f"{hundredths // 100 or ''}.{hundredths % 100:02d}" for hundredths in range(DISTANCES)]
    plain = [(f"0{text}" if text[0] == "." else text).rstrip("0").rstrip(".") or "0" for text in metered]
    return _texts([*metered, *plain, *OUTLIERS])


def _texts(texts: Sequence[str]) -> Texts:
    return np.array([text.encode() for text in texts])

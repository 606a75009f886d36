"""Which blocks of lines need no parser, because the database reads every row of them exactly as the parser would.

Only spellings are judged here, and strictly: what is not certainly regular goes through ``records``, which decides
what is valid. A regular row has one field per column, and each field is empty or spelled like this:

- a time: ``2019-03-01 00:10:16``, an hour below 24 and a second below 60;
- a whole number: digits, with or without ``-``;
- an amount: the same, with or without a point, and fewer than 29 digits in a row;
- a code: ASCII characters, but no point, quote, backslash or colon;
- any other text: ASCII characters, but no quote, backslash or colon.

The database refuses what is left of these that is not a number or a date, such as ``-`` or ``2019-02-30``.
"""

import re
from collections.abc import Sequence
from typing import Any

from taxi_platform.trips.columns import Column

LONGEST_NUMBER = 28  # digits in a row: with more, an amount may be too large for BigQuery's NUMERIC
KNOWN_SHAPES = 100_000  # a service's files have a few hundred; free text must not fill the memory

_DIGITS = b"0123456789"
_ZERO, _TWO, _FOUR, _SIX = b"0246"
_SHAPES = {
    "timestamp": re.compile(rb"(?:-- ::)?"),
    "integer": re.compile(rb"-?"),
    "double precision": re.compile(rb"-?\.?"),
    "code": re.compile(rb'[^."\\:\x00-\x1f\x7f-\xff]*'),
    "text": re.compile(rb'[^"\\:\x00-\x1f\x7f-\xff]*'),
}


class RegularRows:
    """Decides block by block whether a file of these columns is regular.

    The test costs a few percent of a load: instead of looking at single fields, it looks at the shape of each line,
    which is what remains without its digits, and at the digits of all times of the block at once.

    Args:
        columns: the file's columns, in its order.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [_SHAPES["code" if column.is_code else column.postgres] for column in columns]
        self._known: set[bytes] = set()

    def holds(self, block: bytes) -> bool:
        """Return whether all lines of a block of whole lines are regular."""
        shapes = set(block[:-1].translate(None, _DIGITS).split(b"\n"))
        if len(self._known) > KNOWN_SHAPES:
            self._known.clear()
        for shape in shapes - self._known:
            if not self._is_regular(shape):
                return False
            self._known.add(shape)
        return _has_regular_digits(block)

    def _is_regular(self, shape: bytes) -> bool:
        fields = shape.removesuffix(b"\r").split(b",")
        return len(fields) == len(self._columns) and all(
            pattern.fullmatch(field) for pattern, field in zip(self._columns, fields, strict=True)
        )


def _has_regular_digits(block: bytes) -> bool:
    """Return whether all times have their 14 digits and no number is too long, where the shapes are regular.

    Every operation works on all bytes at once: ``digits[4:]`` says of each byte whether the fourth after it is a digit.
    """
    import numpy as np

    text: Any = np.frombuffer(block, np.uint8)
    digits = (text - np.uint8(_ZERO)) < 10
    two = digits[:-1] & digits[1:]
    four = two[:-2] & two[2:]
    eight = four[:-4] & four[4:]
    sixteen = eight[:-8] & eight[8:]
    too_long = LONGEST_NUMBER + 1 - 16
    if (sixteen[:-too_long] & sixteen[too_long:]).any():
        return False
    colons = text == ord(":")
    starts = len(text) - len("2019-03-01 00:10:16")  # each time stands before at least a line end
    if starts < 1:
        return not colons.any()
    times = four[:starts].copy()
    times[1:] &= ~digits[: starts - 1]
    for place, sign in ((4, "-"), (7, "-"), (10, " ")):
        times &= text[place : place + starts] == ord(sign)
    for place in (13, 16):
        times &= colons[place : place + starts]
    for place in (5, 8, 11, 14, 17):
        times &= two[place : place + starts]
    times &= ~digits[19 : 19 + starts]
    times &= (text[11 : 11 + starts] < _TWO) | (text[12 : 12 + starts] < _FOUR)  # hours
    times &= text[17 : 17 + starts] < _SIX  # seconds
    return 2 * int(times.sum()) == int(colons.sum())

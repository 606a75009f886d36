"""The current code gives the answers of version 0.1: states, plans, run requests, check results, names and numbers.

An answer may contain more than it did, for example another service, check, piece of metadata, field of an asset's
configuration or upstream asset. Nothing may be missing or different. To change an answer on purpose, edit the file in
``answers/`` in the same commit and note it in CHANGELOG.md.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from taxi_platform_tests.golden.answers import ANSWERS, FOLDER
from taxi_platform_tests.golden.archive import Restored
from taxi_platform_tests.golden.location import Location


def differences(frozen: Any, now: Any, where: str = "") -> Iterator[str]:
    """Yield a line for every missing or different value of an answer."""
    if isinstance(frozen, dict) and isinstance(now, dict):
        for name, value in frozen.items():
            if name in now:
                yield from differences(value, now[name], f"{where} > {name}")
            else:
                yield f"{where} > {name} is missing; it was {value}"
    elif isinstance(frozen, list) and isinstance(now, list) and len(frozen) == len(now):
        for number, (value, other) in enumerate(zip(frozen, now, strict=True)):
            yield from differences(value, other, f"{where} > {number}")
    elif where.endswith((" > config", " > upstream")) and isinstance(now, list) and set(frozen) <= set(now):
        pass  # an asset may get more of them
    elif frozen != now:
        yield f"{where}: {frozen} became {now}"


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_that_of_version_0_1(frozen: tuple[Location, Restored], name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    # Converted to JSON and back, so that pairs become lists, as in the file.
    answer = json.loads(json.dumps(ANSWERS[name](*frozen)))
    lines = list(differences(expected, answer))
    assert not lines, "\n".join(lines)


def test_missing_and_different_values_are_reported() -> None:
    frozen = {"kept": 1, "gone": 2, "list": [1, {"a": 1}]}
    assert list(differences(frozen, {**frozen, "new": 3})) == []
    assert list(differences({"asset": {"config": ["force"]}}, {"asset": {"config": ["force", "refresh"]}})) == []
    assert list(differences(frozen, {"kept": 0, "list": [1, {"a": 2}]})) == [
        " > kept: 1 became 0",
        " > gone is missing; it was 2",
        " > list > 1 > a: 1 became 2",
    ]

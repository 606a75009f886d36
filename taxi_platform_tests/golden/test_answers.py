"""What version 0.1 answered about its data is still answered: states, plans, requests, check results, names, numbers.

An answer may say more than it did: another service, another check, another piece of metadata. Nothing of it may be
missing or different. Where a change is wanted, the file in ``answers/`` is edited with it, and CHANGELOG.md says so.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from taxi_platform_tests.golden.answers import ANSWERS, FOLDER
from taxi_platform_tests.golden.archive import Restored
from taxi_platform_tests.golden.location import Location


def differences(frozen: Any, now: Any, where: str = "") -> Iterator[str]:
    """What an answer lacks of the frozen one, a line each."""
    if isinstance(frozen, dict) and isinstance(now, dict):
        for name, value in frozen.items():
            if name in now:
                yield from differences(value, now[name], f"{where} > {name}")
            else:
                yield f"{where} > {name} is missing; it was {value}"
    elif isinstance(frozen, list) and isinstance(now, list) and len(frozen) == len(now):
        for number, (value, other) in enumerate(zip(frozen, now, strict=True)):
            yield from differences(value, other, f"{where} > {number}")
    elif frozen != now:
        yield f"{where}: {frozen} became {now}"


@pytest.mark.parametrize("name", ANSWERS)
def test_it_is_answered_as_by_version_0_1(frozen: tuple[Location, Restored], name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    # As JSON, so that a pair is a list here as there.
    answer = json.loads(json.dumps(ANSWERS[name](*frozen)))
    lines = list(differences(expected, answer))
    assert not lines, "\n".join(lines)


def test_what_is_missing_or_different_would_be_noticed() -> None:
    frozen = {"kept": 1, "gone": 2, "list": [1, {"a": 1}]}
    assert list(differences(frozen, {**frozen, "new": 3})) == []
    assert list(differences(frozen, {"kept": 0, "list": [1, {"a": 2}]})) == [
        " > kept: 1 became 0",
        " > gone is missing; it was 2",
        " > list > 1 > a: 1 became 2",
    ]

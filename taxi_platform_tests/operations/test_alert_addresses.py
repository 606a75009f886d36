"""The addresses of TAXI_ALERT_URLS: several in one text, named and marked without their secrets."""

import pytest

from taxi_platform.operations.alerts.addresses import addresses_of

SLACK = "slack://TokenA/TokenB/TokenC/#alerts"
MAIL = "mailtos://user:pass@example.com?to=a@example.com,b@example.com"


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n", ";", "  ,\n "])
def test_several_stand_in_one_text(between: str) -> None:
    found = addresses_of(f" {SLACK}{between}{MAIL}\n")
    assert [address.url for address in found] == [SLACK, MAIL]
    assert [address.name for address in found] == ["slack (1 of 2)", "mailtos (2 of 2)"]


def test_one_address_needs_no_number() -> None:
    assert [address.name for address in addresses_of(SLACK)] == ["slack"]


def test_an_address_that_is_named_twice_is_told_once() -> None:
    assert len(addresses_of(f"{SLACK} {SLACK}")) == 1


@pytest.mark.parametrize("text", ["secret-token", "slack://", "json://h/ secret-token", "https:/secret-token"])
def test_what_is_none_is_named_by_its_number_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"address \d of \d is none: write service://…") as caught:
        addresses_of(text)
    assert "secret" not in str(caught.value)


def test_neither_a_name_nor_a_mark_nor_a_repr_gives_a_secret_away() -> None:
    address = addresses_of(SLACK)[0]
    shown = f"{address!r} {address.name} {address.mark}"
    assert "Token" not in shown


def test_a_mark_stands_for_one_address_and_no_other() -> None:
    first, second = addresses_of(f"{SLACK} {MAIL}")
    assert first.mark == addresses_of(f"{MAIL} {SLACK}")[1].mark != second.mark

"""The family of errors."""

from taxi_platform.errors import LONGEST, DamagedFile


def test_a_long_message_is_cut_and_keeps_the_advice() -> None:
    error = DamagedFile("a month", "x" * 900_000, "Fetch it again.")
    assert str(error).startswith("a month: xxx")
    assert str(error).endswith("x …. Fetch it again.")
    assert len(str(error)) < LONGEST + 50

"""The words of a message: bounded, without secrets, and with the link whatever else has to go."""

from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.operations.alerts.failed_run import FailedRun, StepReason
from taxi_platform.operations.alerts.message import MOST_BODY, MOST_TITLE, about
from taxi_platform.redaction import redact

WEB = "https://dagster.example"
LACKING = "green_tripdata_2019-03.csv.gz: the source does not have it. Choose another month."


def run(*reasons: StepReason, subject: str = "green 2019-03", trigger: str = "", retries: int = 0) -> FailedRun:
    return FailedRun("a1b2", subject, trigger, retries, reasons)


def test_a_month_is_told_in_a_few_lines() -> None:
    told = about([run(StepReason("green_tripdata", LACKING), trigger="backfill", retries=2)], WEB, redact)
    assert told.title == "taxi_platform: green 2019-03 failed"
    assert told.body.splitlines() == [
        f"green_tripdata: {LACKING}",
        "Dagster had started it again 2 times.",
        "Started by: backfill",
        "Run: https://dagster.example/runs/a1b2",
    ]


def test_a_range_is_told_with_its_failed_months_and_the_reason_of_each() -> None:
    months = {"2019-03": "not published", "2019-07": "cut off"}
    text = "2 of 12 months of green failed. The other 10 are in place and recorded.\n2019-03: not published\n…"
    told = about([run(StepReason("green_tripdata", text, months), subject="green 2019-01...2019-12")], WEB, redact)
    assert told.body.splitlines()[:3] == [
        "green_tripdata: 2 of 12 months of green failed. The other 10 are in place and recorded.",
        "  2019-03: not published",
        "  2019-07: cut off",
    ]


def test_of_very_many_months_the_last_are_only_named() -> None:
    months = {f"2019-{month:02d}": LACKING for month in range(1, 13)}
    told = about([run(StepReason("", "12 of 12 months failed.", months))], WEB, redact)
    assert "  … and 2019-09, 2019-10, 2019-11, 2019-12" in told.body.splitlines()


def test_runs_that_share_a_message_are_counted_and_named() -> None:
    runs = [run(StepReason("green_tripdata", LACKING), subject=f"green 2020-{month:02d}") for month in range(1, 11)]
    told = about(runs, WEB, redact)
    assert told.title == "taxi_platform: 10 runs failed"
    assert told.body.splitlines()[0] == f"green 2020-01: {LACKING}"
    assert told.body.splitlines()[-2:] == [
        "… and 2 more: green 2020-09, green 2020-10",
        "Runs: https://dagster.example/runs",
    ]


def test_passwords_are_taken_out_before_a_text_is_cut() -> None:
    url = "postgresql://taxi:hunter22@db/x"
    for filler in range(560, 620):
        told = about([run(StepReason("t", "x" * filler + url))], WEB, redact)
        assert "hunter" not in told.body


@given(st.lists(st.text(max_size=3000), min_size=1, max_size=30), st.text(max_size=300))
def test_whatever_went_wrong_a_message_is_bounded_and_ends_with_the_link(texts: list[str], subject: str) -> None:
    months = {f"2019-{month:02d}": texts[0] for month in range(1, 13)}
    one = run(*(StepReason("step", text, months) for text in texts), subject=subject)
    for told in (about([one], WEB, redact), about([one] * 30, WEB, redact)):
        assert len(told.title) <= MOST_TITLE
        assert len(told.body) <= MOST_BODY
        assert told.body.splitlines()[-1].startswith(("Run: https://", "Runs: https://"))

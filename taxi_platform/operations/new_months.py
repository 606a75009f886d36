"""Which months the schedules and sensors load: the month that is due, and what is new at the source.

A month is new if the source has a version of it that is neither recorded as loaded nor was requested before. The
records decide, not the cursor: on a loaded platform a first tick of the ``new_month_sensor`` requests nothing.

A version is requested once, because a broken file would otherwise be loaded again and again. If its run fails, there
are the run's own retries, an alert and ``taxi backfill --failed``. The next version is requested again.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from taxi_platform.errors import NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import UNKNOWN_VERSION, MonthRecord
from taxi_platform.sources.source import Source
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

logger = logging.getLogger(__name__)

MOST_QUESTIONS = 12  # per tick, which asks about every month of four services since 2019 in five hours
MOST_REQUESTS = 10  # per tick; a sensor that was off for half a year does not fill the queue at once
QUESTIONS_AT_ONCE = 4
ANSWER_SECONDS = 40.0  # for all answers of a tick; Dagster gives up on a tick after 60
LONGEST_REST = 6 * 3600.0  # seconds; a server that asks for a longer pause makes a mistake

# The month that is due


def due_month(service: Service, scheduled: datetime, timezone: str) -> Month:
    """Return the month whose publication is due when a tick is scheduled, by the calendar of its time zone.

    The time of the evaluation does not matter: a daemon that was down over the end of a month loads the right month.
    """
    local = scheduled.astimezone(ZoneInfo(timezone))
    return Month(local.year, local.month).plus(-service.publication_lag)


def outside(service: Service, month: Month, partitions: tuple[Month, Month]) -> str | None:
    """Return why a month outside the partitions cannot be loaded, and which setting would change that."""
    first, last = partitions
    if first <= month <= last:
        return None
    setting = f"TAXI_LAST_MONTH={month} or later" if month > last else f"TAXI_FIRST_MONTH={month} or earlier"
    return f"{month} lies outside the months of {service.name}, {first} to {last}. Set {setting} to have it loaded."


def reason_to_skip(
    service: Service, month: Month, partitions: tuple[Month, Month], get_source: Callable[[], Source]
) -> str | None:
    """Return why a tick of a schedule starts no run, or None if it must start one.

    A month is skipped only if the source says that it does not have it. If the source does not answer, or answers
    anything else, the run is started: it asks again and again, and if it fails there is an alert. A failed tick of a
    schedule is never evaluated again.
    """
    reason = outside(service, month, partitions)
    if reason:
        return reason
    try:
        source = get_source()  # a folder that is not mounted is an error
        source.version(source.trips(service, month))
    except NotPublished as error:
        return f"Not published yet: {error.what}. The due_month_sensor asks again every day."
    except TaxiError as error:
        logger.warning("%s The run will find out.", error)
    return None


def waiting_month(records: Iterable[MonthRecord], since: datetime, now: datetime, timezone: str) -> MonthRecord | None:
    """Return the first month of a service that was due, and that its schedule did not load, or None.

    The records are the months of one service, in order. Months whose schedule ticked before ``since`` do not count, so
    that a new platform does not begin to load without being asked, nor do months that a run has tried to load. A month
    counts from the day after its schedule's tick.
    """
    yesterday = now - timedelta(days=1)
    for record in records:
        last_tick = since - timedelta(hours=record.service.schedule_hour)  # on the 1st it may be still to come
        is_due = (
            due_month(record.service, last_tick, timezone)
            < record.month
            <= due_month(record.service, yesterday, timezone)
        )
        if is_due and record.is_partition and not (record.materialized or record.attempts or record.waiting):
            return record
    return None


# What is new at the source


class Asked(BaseModel, frozen=True):
    """The last question about one month."""

    at: float = 0.0  # when the source was asked and nothing was left to do, in seconds since 1970
    requested: str = ""  # the token of the version for which a run was requested last, however that run ended


class NewMonthsCursor(BaseModel, frozen=True):
    """What the sensor keeps from tick to tick, as JSON in Dagster's cursor."""

    version: Literal[1] = 1
    rest_until: float = 0.0  # when the source may be asked again at the earliest, in seconds since 1970
    questions: Mapping[str, Asked] = Field(  # by the name of the month's file; "looks" as in version 0.1
        default_factory=dict[str, Asked],
        validation_alias=AliasChoices("looks", "questions"),
        serialization_alias="looks",
    )

    def asked(self, file_name: str) -> Asked:
        """Return the last question about a month; the default stands for a month that was never asked about."""
        return self.questions.get(file_name, Asked())

    def dump(self) -> str:
        """Return the text that ``parse_cursor`` reads."""
        return self.model_dump_json(by_alias=True)


def parse_cursor(text: str | None) -> NewMonthsCursor:
    """Return the cursor in a text. If it cannot be read, every month is asked about again, and nothing is lost."""
    if not text:
        return NewMonthsCursor()
    try:
        return NewMonthsCursor.model_validate_json(text)
    except ValidationError:
        logger.warning("The cursor cannot be read, so every month is asked about again. Nothing is loaded twice.")
        return NewMonthsCursor()


@dataclass(frozen=True)
class SourceAnswer:
    """What the source answers about a month: the version that it has at an address, or an error."""

    record: MonthRecord
    address: str = ""
    version: SourceVersion = UNKNOWN_VERSION
    error: TaxiError | None = None

    @property
    def token(self) -> str:
        """A short name of the version that the source has at this address."""
        content = json.dumps([self.address, self.version.etag, self.version.modified, self.version.bytes])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def run_key(self) -> str:
        """The run key of a request, which names the record that the version follows: a version may come again."""
        raw = self.record.raw
        return f"{self.record.file_name}@{self.token} after {raw.order if raw else 0}"

    def is_wanted(self, requested: str) -> bool:
        """Return whether a run should be requested, unless it was for the version with this token."""
        if self.error or self.token == requested:
            return False
        raw = self.record.raw
        if raw is None:
            return True
        now, then = self.version, raw.version
        same = (self.address, now.etag, now.modified) == (raw.source, then.etag, then.modified)
        same_size = now.bytes == then.bytes or None in (now.bytes, then.bytes)
        return not (raw.landed or (same and same_size))


@dataclass(frozen=True)
class NewMonthsTick:
    """The result of a tick: the runs to request by run key, the new cursor, and a summary for people."""

    requests: Mapping[str, MonthRecord]
    cursor: NewMonthsCursor
    summary: str


def evaluate(source: Source, records: Iterable[MonthRecord], cursor_text: str | None, now: float) -> NewMonthsTick:
    """Ask the source about months, at a time in seconds since 1970, and decide what to load."""
    cursor = parse_cursor(cursor_text)
    if now < cursor.rest_until:
        until = datetime.fromtimestamp(cursor.rest_until, timezone.utc)
        return NewMonthsTick({}, cursor, f"The source asks for a pause until {until:%H:%M:%S} UTC.")
    months = candidates(records)
    answers = ask(source, questions(months, cursor, most=None if source.asking_is_free else MOST_QUESTIONS))
    return decide(answers, cursor, now, known=len(months))


def candidates(records: Iterable[MonthRecord]) -> list[MonthRecord]:
    """Return the months that can be loaded, the newest of all services first. The records are in order by service."""
    by_service = groupby((record for record in records if record.is_partition), lambda record: record.service.name)
    newest_first = [enumerate(reversed(list(months))) for _, months in by_service]
    ranked = [(newer, record.file_name, record) for months in newest_first for newer, record in months]
    return [record for *_, record in sorted(ranked, key=lambda month: month[:2])]


def questions(
    months: Iterable[MonthRecord], cursor: NewMonthsCursor, *, most: int | None = MOST_QUESTIONS
) -> list[MonthRecord]:
    """Return the months to ask about in this tick: every month if ``most`` is None, else the longest waiting ones.

    A month is left alone if a run or a backfill will load it, or if a file was dropped by hand instead of the source's.
    """
    free = [month for month in months if not (month.is_being_loaded or (month.raw and month.raw.landed))]
    return free if most is None else sorted(free, key=lambda month: cursor.asked(month.file_name).at)[:most]


def ask(source: Source, months: Sequence[MonthRecord]) -> list[SourceAnswer]:
    """Ask a source about months, a few at once, until it stops answering or the time of a tick is over."""

    def ask_one(month: MonthRecord) -> SourceAnswer:
        try:
            address = source.trips(month.service, month.month)
            return SourceAnswer(month, address, source.version(address))
        except TaxiError as error:
            return SourceAnswer(month, error=error)

    answers: list[SourceAnswer] = []
    end = time.monotonic() + ANSWER_SECONDS
    pool = ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="new-months")
    for start in range(0, len(months), QUESTIONS_AT_ONCE):
        asked = [pool.submit(ask_one, month) for month in months[start : start + QUESTIONS_AT_ONCE]]
        done, late = wait(asked, timeout=max(0.0, end - time.monotonic()))
        answers += [question.result() for question in asked if question in done]
        if late:
            what = f"no answer to {len(late)} of {len(asked)} questions after {ANSWER_SECONDS:.0f} s"
            answers.append(SourceAnswer(months[start], error=SourceUnreachable("the source", what)))
        if any(isinstance(answer.error, SourceUnreachable) for answer in answers):
            break
    pool.shutdown(wait=False, cancel_futures=True)  # without waiting, because the tick would not end in time
    return answers


def decide(answers: Sequence[SourceAnswer], cursor: NewMonthsCursor, now: float, *, known: int) -> NewMonthsTick:
    """Return the result of a tick from its answers; the summary names the number of ``known`` months."""
    asked = dict(cursor.questions)
    requests: dict[str, MonthRecord] = {}
    unreachable = [answer.error for answer in answers if isinstance(answer.error, SourceUnreachable)]
    answers = [answer for answer in answers if not isinstance(answer.error, SourceUnreachable)]
    for answer in answers:
        name = answer.record.file_name
        requested = cursor.asked(name).requested
        if answer.is_wanted(requested):
            if len(requests) == MOST_REQUESTS:
                continue  # the question does not count as asked, so that the next tick asks again
            requests[answer.run_key] = answer.record
            requested = answer.token
        asked[name] = Asked(at=now, requested=requested)
    rest = max((error.retry_after or 0.0 for error in unreachable), default=0.0)
    rest_until = now + min(rest, LONGEST_REST) if rest else 0.0

    errors = [answer.error for answer in answers if answer.error]
    refused = [error for error in errors if not isinstance(error, NotPublished)]
    summary = f"Asked about {len(answers)} of {known} months: {len(errors) - len(refused)} not published"
    if requests:
        names = ", ".join(record.file_name for record in requests.values())
        summary += f", {len(requests)} to load ({names})"
    summary += "."
    if refused:
        summary += f" {len(refused)} were refused: {refused[0]}"
    if unreachable:
        summary += f" The source stopped answering, the next tick goes on from here. {unreachable[-1]}"
    return NewMonthsTick(requests, NewMonthsCursor(questions=asked, rest_until=rest_until), summary)

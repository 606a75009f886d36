"""One tick of the ``new_month_sensor``: which months it asks the source about, for which it requests a run, its cursor.

A month is wanted if the source has a version of it that is neither recorded as loaded nor was requested before. The
records decide, not the cursor: on a loaded platform a first tick requests nothing.

A version is requested once. When its run fails there are the run's own retries, an alert and ``taxi backfill
--failed``; a sensor that tried again would load a broken file for ever. The next version is a new chance.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from taxi_platform.errors import NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import UNKNOWN_VERSION, MonthRecord
from taxi_platform.sources.source import Source
from taxi_platform.trips.files import SourceVersion

logger = logging.getLogger(__name__)

MOST_QUESTIONS = 30  # per tick; at half a second each, four at once, these are four seconds
MOST_REQUESTS = 10  # per tick; a sensor that was off for half a year does not fill the queue at once
QUESTIONS_AT_ONCE = 4
ANSWER_SECONDS = 40.0  # for all answers of a tick; Dagster gives up on a tick after 60
LONGEST_REST = 6 * 3600.0  # seconds; a server that asks to be left alone for longer makes a mistake

DAY = 24 * 3600.0
# A month with so many newer ones is asked about again after so many seconds. The TLC publishes about two months after
# the fact, and corrects a file, if at all, in the months that follow.
PAUSES = ((3, 0.0), (12, DAY))
LONGEST_PAUSE = 7 * DAY


class Asked(BaseModel, frozen=True):
    """The last question about one month."""

    at: float = 0.0  # when the source was asked and nothing was left to do, in seconds since 1970
    requested: str = ""  # the token of the version for which a run was requested last, however that run ended


class Cursor(BaseModel, frozen=True):
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


def parse_cursor(text: str | None) -> Cursor:
    """Return the cursor in a text. If it cannot be read, every month is asked about again, and nothing is lost."""
    if not text:
        return Cursor()
    try:
        return Cursor.model_validate_json(text)
    except ValidationError:
        logger.warning("The cursor cannot be read, so every month is asked about again. Nothing is loaded twice.")
        return Cursor()


@dataclass(frozen=True)
class Candidate:
    """A month that may be loaded."""

    record: MonthRecord
    newer: int  # how many months of its service are newer

    @property
    def file_name(self) -> str:
        """The name of its file, under which the cursor keeps it."""
        return self.record.service.file_name(self.record.month)

    @property
    def pause(self) -> float:
        """Seconds between two questions about it."""
        return next((pause for newer, pause in PAUSES if self.newer < newer), LONGEST_PAUSE)

    @property
    def is_busy(self) -> bool:
        """Whether a run or a backfill will load it, or a file was dropped by hand instead of the source's."""
        record = self.record
        unfinished = any(attempt.outcome == "unfinished" for attempt in record.attempts.values())
        return unfinished or record.waiting is not None or (record.raw is not None and record.raw.landed)


@dataclass(frozen=True)
class Answer:
    """What the source answers about a month: the version that it has at an address, or an error."""

    month: Candidate
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
        """The run key of a request. Dagster remembers it as long as the run, so no version is loaded twice.

        It names the record that the version follows: a version that is published, replaced and published again is a new
        request.
        """
        raw = self.month.record.raw
        return f"{self.month.file_name}@{self.token} after {raw.order if raw else 0}"

    def is_wanted(self, requested: str) -> bool:
        """Return whether a run should be requested, unless it was for the version with this token."""
        if self.error or self.token == requested:
            return False
        raw = self.month.record.raw
        if raw is None:
            return True
        now, then = self.version, raw.version
        same = (self.address, now.etag, now.modified) == (raw.source, then.etag, then.modified)
        same_size = now.bytes == then.bytes or None in (now.bytes, then.bytes)
        return not (raw.landed or (same and same_size))


@dataclass(frozen=True)
class Tick:
    """The result of a tick: the runs to request by run key, the new cursor, and a summary for people."""

    requests: Mapping[str, MonthRecord]
    cursor: Cursor
    summary: str


def evaluate(source: Source, records: Iterable[MonthRecord], cursor_text: str | None, now: float) -> Tick:
    """Ask the source about the months that are due, at a time in seconds since 1970, and decide what to load.

    The records need Dagster's records of file and table, and what waits for a backfill.
    """
    cursor = parse_cursor(cursor_text)
    if now < cursor.rest_until:
        until = datetime.fromtimestamp(cursor.rest_until, timezone.utc)
        return Tick({}, cursor, f"The source wants to be left alone until {until:%H:%M:%S} UTC.")
    months = candidates(records)
    answers = ask(source, questions(months, cursor, now, most=None if source.asking_is_free else MOST_QUESTIONS))
    return decide(answers, cursor, now, known=len(months))


def candidates(records: Iterable[MonthRecord]) -> list[Candidate]:
    """Return the months that can be loaded, the newest of all services first. The records are in order by service."""
    by_service = groupby((record for record in records if record.is_partition), lambda record: record.service.name)
    found = [
        Candidate(record, newer) for _, months in by_service for newer, record in enumerate(reversed(list(months)))
    ]
    return sorted(found, key=lambda candidate: candidate.newer)


def questions(
    months: Sequence[Candidate], cursor: Cursor, now: float, *, most: int | None = MOST_QUESTIONS
) -> list[Candidate]:
    """Return the months to ask about in this tick, in this order; if ``most`` is None, every month.

    The newest are asked about in every tick, the others when their pause is over, the longest waiting first.
    """
    free = [month for month in months if not month.is_busy]
    if most is None:
        return free
    due = [month for month in free if now - cursor.asked(month.file_name).at >= month.pause]
    newest = [month for month in due if not month.pause]
    others = sorted((month for month in due if month.pause), key=lambda month: cursor.asked(month.file_name).at)
    return [*newest, *others][:most]


def ask(source: Source, months: Sequence[Candidate]) -> list[Answer]:
    """Ask a source about months, a few at once, until it stops answering or the time of a tick is over."""

    def ask_one(month: Candidate) -> Answer:
        try:
            address = source.trips(month.record.service, month.record.month)
            return Answer(month, address, source.version(address))
        except TaxiError as error:
            return Answer(month, error=error)

    answers: list[Answer] = []
    end = time.monotonic() + ANSWER_SECONDS
    pool = ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="new-months")
    for start in range(0, len(months), QUESTIONS_AT_ONCE):
        asked = [pool.submit(ask_one, month) for month in months[start : start + QUESTIONS_AT_ONCE]]
        done, late = wait(asked, timeout=max(0.0, end - time.monotonic()))
        answers += [question.result() for question in asked if question in done]
        if late:
            what = f"it had not answered {len(late)} questions after {ANSWER_SECONDS:.0f} s"
            answers.append(Answer(months[start], error=SourceUnreachable("the source", what)))
        if any(isinstance(answer.error, SourceUnreachable) for answer in answers):
            break
    pool.shutdown(wait=False, cancel_futures=True)  # without waiting, because the tick would not end in time
    return answers


def decide(answers: Sequence[Answer], cursor: Cursor, now: float, *, known: int) -> Tick:
    """Return what follows from the answers, when so many months are known."""
    asked = dict(cursor.questions)
    requests: dict[str, MonthRecord] = {}
    postponed = 0
    unreachable = [answer.error for answer in answers if isinstance(answer.error, SourceUnreachable)]
    answers = [answer for answer in answers if not isinstance(answer.error, SourceUnreachable)]
    for answer in sorted(answers, key=lambda answer: (answer.month.newer, answer.month.file_name)):
        name = answer.month.file_name
        requested = cursor.asked(name).requested
        if not answer.is_wanted(requested):
            asked[name] = Asked(at=now, requested=requested)
        elif len(requests) < MOST_REQUESTS:
            asked[name] = Asked(at=now, requested=answer.token)
            requests[answer.run_key] = answer.month.record
        else:
            postponed += 1  # its question does not count as asked, so that the next tick asks again
    rest = max((error.retry_after or 0.0 for error in unreachable), default=0.0)
    rest_until = now + min(rest, LONGEST_REST) if rest else 0.0

    errors = [answer.error for answer in answers if answer.error]
    refused = [error for error in errors if not isinstance(error, NotPublished)]
    summary = f"Asked about {len(answers)} of {known} months: {len(errors) - len(refused)} not published"
    if requests:
        names = ", ".join(record.service.file_name(record.month) for record in requests.values())
        summary += f", {len(requests)} to load ({names})"
    if postponed:
        summary += f", {postponed} more in the next ticks"
    summary += "."
    if refused:
        summary += f" {len(refused)} were refused: {refused[0]}"
    if unreachable:
        summary += f" The source stopped answering, the next tick goes on from here. {unreachable[-1]}"
    return Tick(requests, Cursor(questions=asked, rest_until=rest_until), summary)

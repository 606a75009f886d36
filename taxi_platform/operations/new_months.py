"""One tick of the ``new_month_sensor``: which months it asks the source about, for which it requests a run, its cursor.

A month is wanted if the source has a version of it that is neither recorded as loaded nor was requested before. The
records decide, not what the sensor has seen: on a loaded platform a first tick requests nothing, and what was published
while the sensor was off is found when it is on again.

A version is requested once. When its run fails there are the run's own retries, an alert and ``taxi backfill
--failed``; a sensor that tried again would load a broken file for ever. The next version is a new chance.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import groupby
from typing import Any

from taxi_platform.errors import NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import Materialized, MonthRecord
from taxi_platform.sources.source import Source
from taxi_platform.trips.files import SourceVersion

logger = logging.getLogger(__name__)

MOST_QUESTIONS = 30  # per tick; at half a second each, four at once, these are four seconds
MOST_REQUESTS = 10  # per tick; a sensor that was off for half a year does not fill the queue at once
QUESTIONS_AT_ONCE = 4
LONGEST_TICK = 25.0  # seconds after which no more questions are asked; Dagster gives up on a tick after 60
LONGEST_REST = 6 * 3600.0  # seconds; a server that asks to be left alone for longer makes a mistake

DAY = 24 * 3600.0
# A month with so many newer ones is asked about again after so many seconds. The TLC publishes about two months after
# the fact, and corrects a file, if at all, in the months that follow.
PAUSES = ((3, 0.0), (12, DAY))
LONGEST_PAUSE = 7 * DAY
CURSOR_VERSION = 1


@dataclass(frozen=True)
class Asked:
    """The last question about one month.

    Attributes:
        at: when the source was asked and nothing was left to do, in seconds since 1970.
        requested: the token of the version for which a run was requested last, however that run ended.
    """

    at: float = 0.0
    requested: str = ""


@dataclass(frozen=True)
class Cursor:
    """What the sensor keeps from tick to tick, as JSON in Dagster's cursor.

    Attributes:
        looks: the last question about each month, by the name of its file.
        rest_until: when the source may be asked again at the earliest, in seconds since 1970.
    """

    looks: Mapping[str, Asked] = field(default_factory=dict[str, Asked])
    rest_until: float = 0.0

    def asked(self, file_name: str) -> Asked:
        """Return the last question about a month; one that was never asked about was asked at the beginning of time."""
        return self.looks.get(file_name, Asked())

    def dump(self) -> str:
        """Return the text that ``parse_cursor`` reads."""
        looks = {name: asdict(asked) for name, asked in sorted(self.looks.items())}
        content = {"version": CURSOR_VERSION, "rest_until": self.rest_until, "looks": looks}
        return json.dumps(content, separators=(",", ":"))


def parse_cursor(text: str | None) -> Cursor | None:
    """Return the cursor in a text, or None if this version cannot read it.

    Then nothing is lost but time: every month is asked about again, and what was loaded is recorded.
    """
    if not text:
        return Cursor()
    try:
        content: dict[str, Any] = json.loads(text)
        if content["version"] != CURSOR_VERSION:
            return None
        looks = {name: Asked(float(look["at"]), str(look["requested"])) for name, look in content["looks"].items()}
        return Cursor(looks, float(content["rest_until"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class Candidate:
    """A month that may be loaded.

    Attributes:
        record: what is known about it.
        newer: how many months of its service are newer.
    """

    record: MonthRecord
    newer: int

    @property
    def file_name(self) -> str:
        """The name of its file, under which the cursor keeps it."""
        return self.record.file_name

    @property
    def pause(self) -> float:
        """Seconds between two questions about it."""
        return next((pause for newer, pause in PAUSES if self.newer < newer), LONGEST_PAUSE)

    @property
    def is_busy(self) -> bool:
        """Whether a run or a backfill will load it, or a file that was dropped by hand stands for it."""
        record = self.record
        is_landed = record.raw is not None and record.raw.landed
        unfinished = any(attempt.outcome == "unfinished" for attempt in record.attempts.values())
        return unfinished or record.waiting is not None or is_landed


@dataclass(frozen=True)
class Published:
    """What the source has of a month, and at which address."""

    address: str
    version: SourceVersion


@dataclass
class Answers:
    """What the source answered in one tick.

    Attributes:
        published: the months that it has.
        absent: the months that it does not have.
        refused: the months for which it answers anything else.
        unreachable: why no more questions were asked, if the source stopped answering.
    """

    published: list[tuple[Candidate, Published]] = field(default_factory=list[tuple[Candidate, Published]])
    absent: list[Candidate] = field(default_factory=list[Candidate])
    refused: list[tuple[Candidate, TaxiError]] = field(default_factory=list[tuple[Candidate, TaxiError]])
    unreachable: SourceUnreachable | None = None

    @property
    def count(self) -> int:
        """How many questions were answered."""
        return len(self.published) + len(self.absent) + len(self.refused)


@dataclass(frozen=True)
class Request:
    """A run to request."""

    record: MonthRecord
    run_key: str


@dataclass(frozen=True)
class Tick:
    """The result of a tick.

    Attributes:
        requests: the runs to request.
        cursor: the new cursor.
        summary: what was found, for people.
    """

    requests: Sequence[Request]
    cursor: Cursor
    summary: str


def evaluate(source: Source, records: Iterable[MonthRecord], cursor_text: str | None, now: float) -> Tick:
    """Ask the source about the months that are due and decide what to load.

    Args:
        source: where months are published.
        records: what is known about every month: Dagster's records of file and table, and what waits for a backfill.
        cursor_text: the cursor of the last tick.
        now: in seconds since 1970.
    """
    cursor = parse_cursor(cursor_text)
    if cursor is None:
        logger.warning("The cursor cannot be read, so every month is asked about again. Nothing is loaded twice.")
        cursor = Cursor()
    if now < cursor.rest_until:
        until = datetime.fromtimestamp(cursor.rest_until, timezone.utc)
        return Tick([], cursor, f"The source wants to be left alone until {until:%H:%M:%S} UTC.")
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
    """Return the months to ask about in this tick, in this order.

    The newest are asked about in every tick, the others when their pause is over, the longest waiting first.

    Args:
        months: the candidates.
        cursor: of the last tick.
        now: in seconds since 1970.
        most: how many questions are allowed; None asks about every month.
    """
    free = [month for month in months if not month.is_busy]
    if most is None:
        return free
    due = [month for month in free if now - cursor.asked(month.file_name).at >= month.pause]
    newest = [month for month in due if not month.pause]
    others = sorted((month for month in due if month.pause), key=lambda month: cursor.asked(month.file_name).at)
    return [*newest, *others][:most]


def ask(source: Source, months: Sequence[Candidate], clock: Callable[[], float] = time.monotonic) -> Answers:
    """Ask a source about months, a few at once, until it stops answering or the tick has taken long enough."""
    answers = Answers()
    ends = clock() + LONGEST_TICK

    def ask_one(month: Candidate) -> None:
        try:
            address = source.trips(month.record.service, month.record.month)
            answers.published.append((month, Published(address, source.version(address))))
        except NotPublished:
            answers.absent.append(month)
        except SourceUnreachable as error:
            answers.unreachable = error
        except TaxiError as error:
            answers.refused.append((month, error))

    with ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="new-months") as pool:
        for start in range(0, len(months), QUESTIONS_AT_ONCE):
            list(pool.map(ask_one, months[start : start + QUESTIONS_AT_ONCE]))
            if answers.unreachable or clock() > ends:
                break
    return answers


def decide(answers: Answers, cursor: Cursor, now: float, *, known: int) -> Tick:
    """Return what follows from the answers.

    Args:
        answers: what the source answered.
        cursor: of the last tick.
        now: in seconds since 1970.
        known: how many months there are.
    """
    looks = dict(cursor.looks)
    requests: list[Request] = []
    postponed = 0
    for month, published in sorted(answers.published, key=lambda item: (item[0].newer, item[0].file_name)):
        name, raw = month.file_name, month.record.raw
        requested = cursor.asked(name).requested
        if not is_wanted(published, raw, requested):
            looks[name] = Asked(now, requested)
        elif len(requests) < MOST_REQUESTS:
            looks[name] = Asked(now, token(published))
            requests.append(Request(month.record, run_key(name, published, raw)))
        else:
            postponed += 1  # its question does not count as asked, so that the next tick asks again
    for month in (*answers.absent, *(month for month, _ in answers.refused)):
        looks[month.file_name] = Asked(now, cursor.asked(month.file_name).requested)
    rest = answers.unreachable and answers.unreachable.retry_after
    rest_until = now + min(rest, LONGEST_REST) if rest else 0.0
    return Tick(requests, Cursor(looks, rest_until), _summary(answers, requests, postponed, known))


def _summary(answers: Answers, requests: Sequence[Request], postponed: int, known: int) -> str:
    parts = [f"Asked about {answers.count} of {known} months: {len(answers.absent)} not published"]
    if requests:
        names = ", ".join(request.record.file_name for request in requests)
        parts.append(f"{len(requests)} to load ({names})")
    if postponed:
        parts.append(f"{postponed} more in the next ticks")
    text = ", ".join(parts) + "."
    if answers.refused:
        text += f" {len(answers.refused)} were refused: {answers.refused[0][1]}"
    if answers.unreachable:
        text += f" The source stopped answering, the next tick goes on from here. {answers.unreachable}"
    return text


def is_wanted(published: Published, raw: Materialized | None, requested: str) -> bool:
    """Return whether a run should be requested.

    Args:
        published: what the source has.
        raw: the recorded raw file, if there is one.
        requested: the token of the version for which a run was requested last.
    """
    if raw is not None and (raw.landed or _is_same(published, raw)):
        return False
    return token(published) != requested


def _is_same(published: Published, raw: Materialized) -> bool:
    """Return whether the recorded file is what the source has: same address, tag, date, and size where both say one."""
    now, then = published.version, raw.version
    if published.address != raw.source or (now.etag, now.modified) != (then.etag, then.modified):
        return False
    return now.bytes is None or then.bytes is None or now.bytes == then.bytes


def token(published: Published) -> str:
    """Return a short name of the version that the source has at this address."""
    version = published.version
    content = json.dumps([published.address, version.etag, version.modified, version.bytes])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def run_key(file_name: str, published: Published, raw: Materialized | None) -> str:
    """Return the run key of a request. Dagster remembers it as long as the run, so no version is loaded twice.

    It names the record that the version follows: a version that is published, replaced and published again is a new
    request.
    """
    return f"{file_name}@{token(published)} after {raw.order if raw else 0}"

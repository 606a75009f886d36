"""Which months the ``new_month_sensor`` asks the source about, and for which it asks for a run. Pure.

A month is wanted when the source has a version of it that is neither on record as loaded nor was asked for before. So
the record decides, and not what the sensor has seen: on a platform that is loaded already a first look asks for
nothing, and what appeared while it was off is found when it is on again.

A version is asked for once. When its run fails, there are the run's own retries, an alert and ``taxi backfill
--failed``; a sensor that tried again would load a broken file for ever. The next version is a new chance.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from taxi_platform.operations.new_months.memory import Memory
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

MOST_QUESTIONS = 30  # a look; to a server that answers in half a second, four at once, these are four seconds
MOST_REQUESTS = 10  # a look: a sensor that was off for half a year does not fill the queue at once

DAY = 24 * 3600.0
# A month that many places behind the newest is asked about again after so many seconds. The TLC publishes about two
# months after the fact, and corrects a file, if ever, in the months that follow.
PAUSES = ((3, 0.0), (12, DAY))
LONGEST_PAUSE = 7 * DAY


@dataclass(frozen=True)
class Candidate:
    """A month of a service that may be loaded.

    Attributes:
        service: whose month it is.
        month: the month.
        place: how many months of the service are newer.
    """

    service: Service
    month: Month
    place: int

    @property
    def file_name(self) -> str:
        """The name by which it is remembered."""
        return self.service.file_name(self.month)


@dataclass(frozen=True)
class Held:
    """The raw file of a month that is on record.

    Attributes:
        record: the number of the record; a later one has a higher.
        source: the address that the file came from.
        version: what that source said of it.
        landed: whether it came by the landing folder, so that the source's is not wanted.
    """

    record: int
    source: str
    version: SourceVersion
    landed: bool = False


@dataclass(frozen=True)
class Published:
    """What the source has of a month."""

    address: str
    version: SourceVersion


def candidates(months: Mapping[Service, Sequence[Month]]) -> list[Candidate]:
    """Every month of every service, the newest of all services first."""
    found = [
        Candidate(service, month, place)
        for service, all_months in months.items()
        for place, month in enumerate(sorted(all_months, reverse=True))
    ]
    return sorted(found, key=lambda candidate: candidate.place)


def questions(
    months: Sequence[Candidate], memory: Memory, now: float, *, busy: Collection[str], most: int | None = MOST_QUESTIONS
) -> list[Candidate]:
    """The months to ask about in one look, in this order.

    The newest are asked about in every look, the others when their pause is over, longest waiting first.

    Args:
        months: the candidates.
        memory: what was remembered.
        now: seconds since 1970.
        busy: names of files that a run is loading or about to; they are looked at when it has ended.
        most: how many questions there may be; none for a source that answers at once, which is asked about all.
    """
    free = [month for month in months if month.file_name not in busy]
    if most is None:
        return free
    due = [month for month in free if now - memory.look(month.file_name).at >= _pause(month)]
    newest = [month for month in due if not _pause(month)]
    others = sorted((month for month in due if _pause(month)), key=lambda month: memory.look(month.file_name).at)
    return [*newest, *others][:most]


def is_wanted(found: Published, held: Held | None, requested: str) -> bool:
    """Whether a run is to be asked for.

    Args:
        found: what the source has.
        held: what is on record, if anything.
        requested: the version for which a run was asked last.
    """
    if held is not None and (held.landed or _same(found, held)):
        return False
    return token(found) != requested


def token(found: Published) -> str:
    """A short name of the version that the source has, under its address; another version has another."""
    version = found.version
    spelled = json.dumps([found.address, version.etag, version.modified, version.bytes])
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def run_key(candidate: Candidate, found: Published, held: Held | None) -> str:
    """The run key of a request, which Dagster remembers as long as the run, so that no version is loaded twice.

    It says what the version follows: one that is published, replaced and published again is then another request.
    """
    return f"{candidate.file_name}@{token(found)} after {held.record if held else 0}"


def _same(found: Published, held: Held) -> bool:
    """Whether what is on record is what the source has, by all that both say; a size decides if nothing else does."""
    now, then = found.version, held.version
    if found.address != held.source or (now.etag, now.modified) != (then.etag, then.modified):
        return False
    return now.bytes is None or then.bytes is None or now.bytes == then.bytes


def _pause(candidate: Candidate) -> float:
    return next((pause for places, pause in PAUSES if candidate.place < places), LONGEST_PAUSE)

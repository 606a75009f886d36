"""One tick of the sensor: who has to hear of which failed run, told as far as the addresses allow.

Which runs are told is decided in ``verdict``, how they share messages in ``mailbox``, what is said in ``message``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dagster as dg

from taxi_platform.operations.alerts.addresses import Address
from taxi_platform.operations.alerts.failed_runs import FailedRuns
from taxi_platform.operations.alerts.mailbox import KEEP, Mailbox, batches
from taxi_platform.operations.alerts.message import Message, about

Deliver = Callable[[Address, Message], str | None]
Batch = Sequence[dg.DagsterRun]

_SECONDS = 25.0  # after which no more messages are begun, for Dagster ends a tick after 60


@dataclass(frozen=True)
class Office:
    """Who is told, and how.

    Attributes:
        addresses: at least one.
        web_url: where the runs' pages are.
        redacted: takes secrets out of a text.
        deliver: sends one message and returns why it could not, if it could not. It never raises, and ends within a
            few seconds.
    """

    addresses: Sequence[Address]
    web_url: str
    redacted: Callable[[str], str]
    deliver: Deliver


@dataclass(frozen=True)
class Tick:
    """What a tick leaves.

    Attributes:
        cursor: for the next one.
        told: how many messages were taken.
        problems: why others were not, a sentence each.
        waiting: how many failed runs somebody has still to hear of, or may have to if no retry comes.
    """

    cursor: str
    told: int
    problems: Sequence[str]
    waiting: int

    @property
    def story(self) -> str:
        """What happened, in a line."""
        waiting = f"{self.waiting} failed run(s) wait for a retry, or to be told" if self.waiting else "nothing waits"
        return "; ".join([f"{self.told} message(s) delivered", waiting, *self.problems])


def tick(instance: dg.DagsterInstance, office: Office, cursor: str | None, started: float | None, now: float) -> Tick:
    """Do what is to be done now.

    Args:
        instance: whose runs are watched.
        office: who is told, and how.
        cursor: what the last tick left.
        started: when the sensor was started; the first tick tells what has failed since then.
        now: seconds, as ``time.time``.
    """
    failed = FailedRuns(instance)
    mailbox = Mailbox.read(cursor) or failed.new_mailbox(started)
    failed.read(mailbox, now)
    due = failed.due(mailbox, now)
    messages = _Messages(office, failed, mailbox, now)
    messages.send(due)
    messages.settle(due)
    return Tick(mailbox.model_dump_json(), messages.told, messages.problems, len(mailbox.waiting))


@dataclass
class _Messages:
    """The messages of one tick."""

    office: Office
    failed: FailedRuns
    mailbox: Mailbox
    now: float
    told: int = 0
    problems: list[str] = field(default_factory=list[str])

    def send(self, due: Mapping[str, dg.DagsterRun]) -> None:
        """Bring every address what it has not heard.

        All get their next message at the same time, so that one that hangs holds up the others for one message at
        most; after a failure it is left alone until its pause is over.
        """
        queues = {address: self._queue(address, due) for address in self.office.addresses}
        end = time.monotonic() + _SECONDS
        with ThreadPoolExecutor(len(queues)) as pool:
            while any(queues.values()) and time.monotonic() < end:
                heads = [(address, queue.pop(0)) for address, queue in queues.items() if queue]
                sent = [pool.submit(self.office.deliver, address, self._message(runs)) for address, runs in heads]
                for (address, runs), answer in zip(heads, sent, strict=True):
                    if not self._note(address, runs, answer.result()):
                        queues[address].clear()

    def settle(self, due: Mapping[str, dg.DagsterRun]) -> None:
        """Forget the runs that all have heard of, and those that somebody could not be told of for a day."""
        for run_id, run in due.items():
            waiting = self.mailbox.waiting[run_id]
            deaf = [address.name for address in self.office.addresses if address.mark not in waiting.told]
            if deaf and self.now - waiting.since < KEEP:
                continue
            if deaf:
                self.failed.note_given_up(run, deaf)
                self.problems.append(f"gave up telling {', '.join(deaf)} of run {run_id}")
            del self.mailbox.waiting[run_id]
        self.mailbox.forget_lines([address.mark for address in self.office.addresses])

    def _queue(self, address: Address, due: Mapping[str, dg.DagsterRun]) -> list[Batch]:
        line = self.mailbox.line(address.mark)
        if line.not_before > self.now:
            return []
        unheard = [run for run_id, run in due.items() if not self._has_heard(address, run_id)]
        return batches(unheard, line.allowed(self.now))

    def _has_heard(self, address: Address, run_id: str) -> bool:
        told = self.mailbox.waiting[run_id].told
        # A tick that was killed has left its notes in the runs' logs, and no cursor.
        if address.mark not in told and address.mark in self.failed.heard(run_id):
            told.append(address.mark)
        return address.mark in told

    def _message(self, runs: Batch) -> Message:
        return about([self.failed.story(run) for run in runs], self.office.web_url, self.office.redacted)

    def _note(self, address: Address, runs: Batch, problem: str | None) -> bool:
        """Remember how a message fared, and tell whether it was taken."""
        line = self.mailbox.line(address.mark)
        if problem:
            after = line.after_failure(self.now)
            self.mailbox.lines[address.mark] = after
            pause = after.not_before - self.now
            self.problems.append(f"{address.name} could not be told: {problem}; again in {pause:.0f} s")
            return False
        self.told += 1
        self.mailbox.lines[address.mark] = line.after_success(self.now)
        for run in runs:
            self.failed.note_told(run, address.name, address.mark)
            self.mailbox.waiting[run.run_id].told.append(address.mark)
        return True

"""Alerts: failed runs without a retry, and new warnings of checks, are reported once to ``TAXI_ALERT_URLS``.

Dagster's own ``run_failure_sensor`` does not repeat a message that could not be delivered, and does not know whether a
retry will follow. Here each delivery is recorded in the log of the run.
"""

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import dagster as dg
from pydantic import BaseModel, ValidationError

from taxi_platform.errors import missing_extras
from taxi_platform.ledger.failures import CHECKED, EVENTS_WITH_REASONS, StepReason, read_reasons, read_warnings
from taxi_platform.ledger.run_tags import RANGE_TAGS, TAXI, TRIGGER
from taxi_platform.operations.lost_retries import waits_for_retry
from taxi_platform.redaction import redact
from taxi_platform.settings import alert_urls_in, secrets

DELIVERY_SECONDS = 10.0  # for an address to accept a message
TICK_SECONDS = 40.0  # after which a tick sends no further message; Dagster ends it after a minute
KEEP_SECONDS = 24 * 3600.0  # after which a message that cannot be delivered is given up
# Dagster stores the failure, the status and the tag about a retry one after the other; an idle daemon starts the retry
# within five seconds.
DECISION_SECONDS = 60.0
RETRY_SECONDS = 300.0
MOST_BODY = 1800  # characters; Discord takes 2,000 in all, and most other services more
MOST_LINE = 300
_READ = 300  # ended runs read in one tick; more of them follow in the next
_DELIVERED = "run_failure_alert: told "  # as version 0.1 wrote it

_RETRY_RUN = "dagster/auto_retry_run_id"


@dataclass(frozen=True)
class Address:
    """Where messages go."""

    url: str = field(repr=False)  # may be all secret: user, host or path are tokens with many services
    name: str  # what people may see of it, e.g. ``slack (1 of 2)``

    def redact(self, text: str) -> str:
        """Remove every part of the URL that may be a secret from a text: all but the scheme."""
        rest = self.url.partition("://")[2]
        return redact(text, [rest, *re.split(r"[/:@?&=#]", rest)])

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a line of Apprise's own log, which quotes a token that it does not like. This is a logging filter."""
        record.msg, record.args = self.redact(record.getMessage()), None
        return True


@dataclass(frozen=True)
class Message:
    """A message about one run, in plain text."""

    title: str
    body: str
    failed: bool = True  # whether the run failed; otherwise its checks warn


class AlertCursor(BaseModel):
    """What the sensor keeps between ticks. Of a cursor of version 0.1, only ``after`` is read."""

    after: int = 0  # the storage id of the last end of a run that was read
    since: float = 0.0  # when the sensor was started, in seconds; runs that ended before are passed over
    pending: dict[str, float] = {}  # the runs that are not reported yet, and when their ends were read


@dataclass
class AlertTick:
    """The result of one tick: the cursor for the next one, how many messages were delivered, and the problems."""

    cursor: AlertCursor
    delivered: int = 0
    problems: list[str] = field(default_factory=list[str])

    @property
    def summary(self) -> str:
        """What the tick did, as its page shows it."""
        waiting = f"{len(self.cursor.pending)} run(s) waiting" if self.cursor.pending else "nothing waits"
        return "; ".join([f"{self.delivered} message(s) delivered", waiting, *self.problems])


def addresses_of(text: str) -> Sequence[Address]:
    """Return the addresses in a text, each once, in their order; ``ValueError`` if a part of it is not an address."""
    urls = alert_urls_in(text)
    names = [url.partition("://")[0].lower() for url in urls]
    if len(urls) > 1:
        names = [f"{name} ({number} of {len(urls)})" for number, name in enumerate(names, 1)]
    return [Address(url, name) for url, name in zip(urls, names, strict=True)]


# Delivery


def problem_with(address: Address) -> str | None:
    """Return why Apprise cannot use an address; None when it can. No message is sent."""
    import apprise

    logging.getLogger("apprise").addFilter(address)
    if apprise.Apprise().add(address.url):
        return None
    scheme = address.url.partition("://")[0].lower()
    plugins = apprise.Apprise().details()["schemas"]
    known = any(scheme in {*(each["protocols"] or ()), *(each["secure_protocols"] or ())} for each in plugins)
    return "a part of it is missing or wrong" if known else f"Apprise knows no service {scheme}://"


def deliver(address: Address, message: Message) -> str | None:
    """Send a message and return why it could not be delivered, without secrets; None when it was. Never raises."""
    try:
        with missing_extras():
            import apprise

        if problem := problem_with(address):
            return problem
        service = apprise.Apprise()
        service.add(address.url)
        result = service.notify(
            body=message.body,
            title=message.title,
            notify_type=apprise.NotifyType.FAILURE if message.failed else apprise.NotifyType.WARNING,
            body_format=apprise.NotifyFormat.TEXT,
            timeout=DELIVERY_SECONDS,
        )
    except Exception as error:
        return _cut(address.redact(f"{type(error).__name__}: {error}"), MOST_LINE)
    if result:
        return None
    if result.status == apprise.AppriseResultStatus.TIMEOUT:
        return f"no answer within {DELIVERY_SECONDS:.0f} s"
    text = " ".join(entry.message for entry in result.logs())
    return _cut(address.redact(text), MOST_LINE) or "Apprise does not say why"


# Ticks


def tick(
    instance: dg.DagsterInstance,
    addresses: Sequence[Address],
    cursor: str | None,
    *,
    started: float | None,
    now: float,
    web_url: str,
) -> AlertTick:
    """Report what failed or warned in the runs that have ended since the last tick, and what was not delivered then.

    The first tick, which has no cursor, begins with the runs that have ended since the sensor was started.
    """
    try:
        done = AlertTick(AlertCursor.model_validate_json(cursor or ""))
    except ValidationError:
        done = AlertTick(AlertCursor(since=started or now))
    pending = done.cursor.pending
    since = max(done.cursor.since, now - KEEP_SECONDS)  # the daemon may not have run for days
    for record in _ends(instance, done.cursor.after, since):
        done.cursor.after = record.storage_id
        pending.setdefault(record.run_id, now)
    broken: set[Address] = set()  # addresses that do not answer get no further message in this tick
    end = time.monotonic() + TICK_SECONDS
    for run, failed in list(_due(instance, done.cursor, now)):
        if time.monotonic() > end:
            break
        entries = instance.all_logs(run.run_id, of_type={*EVENTS_WITH_REASONS, CHECKED})
        reasons = [*(read_reasons(entries) if failed else ()), *read_warnings(instance, entries)]
        # From the run's log, because a tick may end before its cursor is stored.
        notified = {entry.dagster_event.message for entry in entries if entry.dagster_event}
        missing = [each for each in addresses if reasons and f"{_DELIVERED}{each.name}" not in notified]
        message = describe(run, reasons, failed, web_url=web_url, secrets=list(secrets()))
        with ThreadPoolExecutor(len(addresses)) as pool:
            answers = {each: pool.submit(deliver, each, message) for each in missing if each not in broken}
        for address, answer in answers.items():
            problem = answer.result()
            if problem:
                broken.add(address)
                done.problems.append(f"{address.name} could not be notified: {problem}; it is tried again")
            else:
                done.delivered += 1
                instance.report_engine_event(f"{_DELIVERED}{address.name}", run)
        never = ", ".join(address.name for address in missing if address in broken)
        if never and now - pending[run.run_id] < KEEP_SECONDS:
            continue
        if never:
            done.problems.append(f"gave up notifying {never} of run {run.run_id}")
        del pending[run.run_id]
    return done


def _ends(instance: dg.DagsterInstance, after: int, since: float) -> Sequence[dg.EventLogRecord]:
    """Return the first ends of runs after an event and a time."""
    kinds = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_CANCELED)
    wanted = [dg.RunStatusChangeRecordsFilter(kind, after_timestamp=since, after_storage_id=after) for kind in kinds]
    pages = [instance.fetch_run_status_changes(each, limit=_READ, ascending=True).records for each in wanted]
    return sorted([record for page in pages for record in page], key=lambda record: record.storage_id)[:_READ]


def _due(instance: dg.DagsterInstance, cursor: AlertCursor, now: float) -> Iterator[tuple[dg.DagsterRun, bool]]:
    """Yield the runs to report now, oldest first, and whether as failed; forget deleted and unfinished ones."""
    runs = _runs(instance, list(cursor.pending))
    retries = _runs(instance, [run.tags[_RETRY_RUN] for run in runs.values() if _RETRY_RUN in run.tags])
    for run_id, since in list(cursor.pending.items()):
        run = runs.get(run_id)
        retry = retries.get(run.tags.get(_RETRY_RUN, "")) if run else None
        decision = decide(run, retry, retries=instance.run_retries_enabled, waited=now - since)
        if run and run.is_finished and decision != "wait":
            yield run, decision == "report"
        elif decision == "drop":
            del cursor.pending[run_id]


def _runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> Mapping[str, dg.DagsterRun]:
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=run_ids))} if run_ids else {}


# Decisions, and the words of the messages. Pure.


def decide(
    run: dg.DagsterRun | None, retry: dg.DagsterRun | None, *, retries: bool, waited: float
) -> Literal["report", "wait", "drop"]:
    """Decide whether the failure of a run is reported now, perhaps later, or never because a retry replaces it.

    A retry that Dagster announces and never starts, because its backfill was cancelled, must not hide the failure.
    ``run`` is None when it has been deleted, ``retry`` is the run that its tag names, ``retries`` says whether the
    instance retries runs, and ``waited`` how many seconds ago the failure was noticed.
    """
    if run is None or run.status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
        return "drop"
    if run.status != dg.DagsterRunStatus.FAILURE:  # the event is stored before the status
        return "wait" if waited < DECISION_SECONDS else "drop"
    # A run that was started again by hand may carry the tags of the one that it repeats.
    if retry is not None and retry.parent_run_id == run.run_id:
        return "drop"
    if "dagster/will_retry" not in run.tags:
        return "wait" if retries and waited < DECISION_SECONDS else "report"
    return "wait" if waits_for_retry(run) and waited < RETRY_SECONDS else "report"


def describe(
    run: dg.DagsterRun, reasons: Sequence[StepReason], failed: bool, *, web_url: str, secrets: Sequence[str]
) -> Message:
    """Return the message about a run that failed or whose checks warn, without secrets; it ends with its link."""
    trigger, retries = run.tags.get(TRIGGER), run.tags.get("dagster/retry_number", "0")
    ending = [
        *([f"Retries before: {_line(retries, secrets)}"] if retries != "0" else []),
        *([f"Started by: {_line(trigger, secrets)}"] if trigger else []),
        f"Run: {web_url}/runs/{run.run_id}",
    ]
    end = "\n".join(ending)
    why = _cut("\n".join(_lines_about(reasons, secrets)), MOST_BODY - len(end) - 1)
    first, last = (run.tags.get(name, "") for name in RANGE_TAGS)
    months = run.tags.get("dagster/partition") or (first if first == last else f"{first}...{last}")
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    subject = run.tags.get(TAXI, "").replace(",", ", ") or ", ".join(assets[:3]) or run.job_name
    title = f"taxi_platform: {' '.join(filter(None, (subject, months)))}"
    return Message(f"{_line(title, secrets, 110)} {'failed' if failed else 'warns'}", f"{why}\n{end}", failed)


def _lines_about(reasons: Sequence[StepReason], secrets: Sequence[str]) -> Iterator[str]:
    for reason in reasons:
        step = f"{reason.step}: " if reason.step else ""
        # For a range, the first line counts the months; the other lines repeat their reasons.
        yield step + _line(reason.text.partition("\n")[0] if reason.months else reason.text, secrets)
        for month, why in reason.months.items():
            yield f"  {month}: {_line(why, secrets)}"


def _line(text: str, secrets: Sequence[str], most: int = MOST_LINE) -> str:
    # It is redacted before it is cut, because half a secret would not be recognized.
    return _cut(" ".join(redact(text, secrets).split()), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"

"""A server in front of the emulator of BigQuery: it passes requests on, records them, and fails on command.

    with JobServer(emulators.bigquery) as front:
        front.script("load", Answer(503), Answer(lost=True))
        ...                            # a load: first 503, then done without a response, then found by its id
        front.ids("load")              # the ids of the requested jobs

It adds four behaviours of Google that the emulator lacks: a job's id can be used once, a job reports that it is pending
or running, only the account that started a job may see it, and a query may replace a partition, ``table$YYYYMM``, which
is sent to the emulator as a statement.
"""

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import requests

from taxi_platform.bigquery.statements import merge_month
from taxi_platform.bigquery.tables import reject_fields, trip_fields
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES
from taxi_platform_tests.support.google_answers import Asked, Json, Refused, Reply
from taxi_platform_tests.support.google_server import RecordingServer
from taxi_platform_tests.support.recordings import JOB

ANONYMOUS = "anonymous"
_STEP = re.compile(r"_\d+_([a-z_]+)_\d+")


def account_of(asked: Asked) -> str:
    """Return the account of a request, which has credentials only if a test sets them: emulators need none."""
    return asked.headers.get("authorization", ANONYMOUS).removeprefix("Bearer ")


def is_job(asked: Asked) -> bool:
    """Return whether a request starts a job."""
    return asked.method == "POST" and asked.path.startswith("/bigquery/") and asked.path.endswith("/jobs")


def is_dry_run(asked: Asked) -> bool:
    """Return whether a request only estimates a job."""
    return is_job(asked) and bool(asked.json["configuration"].get("dryRun"))


@dataclass
class Job:
    """A job that was accepted.

    Attributes:
        asked: the request's body.
        account: who started it.
        looks: how many polls remain until it has ended.
        ended: its fields at the end; None while it runs.
    """

    asked: Json
    account: str
    looks: int
    canceled: bool = False
    ended: Json | None = None

    def look(self) -> Json:
        """Return the job's current state: pending, running or done."""
        if self.ended is not None and self.looks <= 0:
            return self.ended
        self.looks -= 1
        started = {"startTime": _now()} if self.looks <= 0 else {}
        state = "RUNNING" if started else "PENDING"
        return {**self.asked, "status": {"state": state}, "statistics": {"creationTime": _now(), **started}}


class JobServer(RecordingServer):
    """The server; a request for a job is named by the job's step, any other one by its method and path.

    Args:
        behind: the address of the emulator.
    """

    def __init__(self, behind: str) -> None:
        super().__init__()
        self._behind = behind
        self._jobs: dict[str, Job] = {}
        self._taking = threading.Lock()

    def name_of(self, asked: Asked) -> str:
        """Return the step of one of the platform's jobs, e.g. ``load``, else the method and the path."""
        if not is_job(asked):
            return super().name_of(asked)
        if is_dry_run(asked):
            return "dry run"
        step = _STEP.search(asked.json["jobReference"]["jobId"])
        return step[1] if step else super().name_of(asked)

    def ids(self, step: str) -> list[str]:
        """Return the ids of the requested jobs of a step, one for each request."""
        return [asked.json["jobReference"]["jobId"] for asked in self.asked(step)]

    def canceled(self) -> list[str]:
        """Return the ids of the jobs that were canceled."""
        return [job_id for job_id, job in self._jobs.items() if job.canceled]

    def unlimited(self) -> list[Json]:
        """Return the configurations of jobs without the platform's labels or, for queries, a limit of billed bytes."""
        asked = [one.json for one in self.requests if is_job(one) or one.path.endswith("/queries")]
        found: list[Json] = []
        for one in asked:
            config = one.get("configuration", one)  # a short query's is not nested
            labels = config.get("labels", {})
            is_labelled = labels.get("app") == "taxi_platform" and {"run", "service"} <= labels.keys()
            if not is_labelled or ("load" not in config and "maximumBytesBilled" not in config.get("query", {})):
                found.append(config)
        return found

    def wait_for(self, step: str, count: int) -> None:
        """Wait until this many jobs of a step have been requested."""
        deadline = time.monotonic() + 60
        while len(self.ids(step)) < count:
            assert time.monotonic() < deadline, f"{len(self.ids(step))} jobs to {step} instead of {count}"
            time.sleep(0.02)

    def wait_for_end(self, step: str) -> None:
        """Wait until every requested job of a step has ended."""
        deadline = time.monotonic() + 60
        while not all(job and job.ended for job in map(self._jobs.get, self.ids(step))):
            assert time.monotonic() < deadline, f"a job to {step} has not ended"
            time.sleep(0.02)

    def answer(self, asked: Asked) -> Reply:
        """Return the emulator's response; for a job, the response that Google would give."""
        if is_job(asked) and not is_dry_run(asked):
            return self._take(asked)
        _, _, rest = asked.path.partition("/jobs/")
        job = self._jobs.get(rest.partition("/")[0])
        if job is None:
            return self._pass_on(asked)
        if job.account != account_of(asked):
            raise Refused.as_recorded("job_of_another_account", {JOB: rest})
        if rest.endswith("/cancel"):
            job.canceled = True
            return 200, {}, {"kind": "bigquery#jobCancelResponse", "job": job.look()}
        return 200, {}, job.look()

    def _take(self, asked: Asked) -> Reply:
        wanted = asked.json
        job_id = wanted["jobReference"]["jobId"]
        with self._taking:
            if job_id in self._jobs:
                raise Refused.as_recorded("job_exists", {JOB: job_id})
            job = self._jobs[job_id] = Job(wanted, account_of(asked), asked.looks)
        if asked.during:
            asked.during()
        job.ended = {**wanted, **asked.ended} if asked.ended else self._pass_on(_for_the_emulator(asked))[2]
        return 200, {}, job.look()

    def _pass_on(self, asked: Asked) -> Reply:
        answer = requests.request(
            asked.method,
            self._behind + asked.path,
            params=dict(asked.query),
            data=asked.body,
            headers={"Content-Type": asked.headers.get("content-type", "application/json")},
            timeout=180,
        )
        upload = answer.headers.get("Location")  # where the emulator accepts the content
        return answer.status_code, {"Location": upload} if upload else {}, json.loads(answer.content or b"{}")


def _for_the_emulator(asked: Asked) -> Asked:
    """Return a query that replaces a partition as the statement that the emulator understands."""
    job = asked.json
    query = job["configuration"].get("query", {})
    target = query.get("destinationTable")
    if not target or "$" not in target["tableId"]:
        return asked
    assert (query["writeDisposition"], query["createDisposition"]) == ("WRITE_TRUNCATE", "CREATE_NEVER")
    table, _, partition = target["tableId"].partition("$")
    fields = reject_fields() if table.endswith("_rejects") else trip_fields(SERVICES[table.removesuffix("_tripdata")])
    month = Month(int(partition[:4]), int(partition[4:]))
    name = f"{target['projectId']}.{target['datasetId']}.{table}"
    columns = [field.name for field in fields]
    statement = {"query": merge_month(name, month, columns, query["query"]), "useLegacySql": False}
    job["configuration"] = {**job["configuration"], "query": statement}
    return replace(asked, body=json.dumps(job).encode())


def ended(**of_load: object) -> Mapping[str, Any]:
    """Return the fields of a job that has just succeeded."""
    moment: Json = dict.fromkeys(("creationTime", "startTime", "endTime"), _now())
    return {"status": {"state": "DONE"}, "statistics": {**moment, "load": of_load}}


def ended_with(reason: str, message: str, errors: Sequence[Json] = (), **more: object) -> Mapping[str, Any]:
    """Return the fields of a job that has just failed; the first error sums up the others."""
    first = {"reason": reason, "message": message, **more}
    return {**ended(), "status": {"state": "DONE", "errorResult": first, "errors": [*errors] or [first]}}


def _now() -> str:
    return str(int(time.time() * 1000))

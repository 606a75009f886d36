"""Whether a failed run is to be told now, perhaps later, or never, because a retry takes its place.

Pure. Dagster 1.13 records the failure first and decides about the retry afterwards: whoever writes the event adds the
tag ``dagster/will_retry`` a moment later, and the daemon that starts the retry adds ``dagster/auto_retry_run_id``.
"""

from enum import Enum, auto

import dagster as dg

WILL_RETRY = "dagster/will_retry"
RETRY_RUN = "dagster/auto_retry_run_id"

# Seconds. The tag comes within one transaction of the event, the retry within five seconds when the daemon is idle.
DECISION_PATIENCE = 60.0
RETRY_PATIENCE = 300.0


class Verdict(Enum):
    """What becomes of a failed run in this tick."""

    TELL = auto()
    WAIT = auto()
    DROP = auto()


def verdict_on(run: dg.DagsterRun | None, retry: dg.DagsterRun | None, *, retries: bool, waited: float) -> Verdict:
    """What becomes of a run that was recorded as failed.

    A retry speaks for itself: when it fails, that is told in place of this run's failure, and when it succeeds there
    is nothing to tell. A retry that Dagster promises and never starts (its backfill was cancelled, say) is no reason
    to be silent for ever.

    Args:
        run: the run as it is now; nothing when it has been deleted.
        retry: the run that its tag calls its automatic retry, if that is there.
        retries: whether the instance retries runs.
        waited: the seconds since the failure was seen.
    """
    if run is None or run.status == dg.DagsterRunStatus.SUCCESS:
        return Verdict.DROP
    if run.status != dg.DagsterRunStatus.FAILURE:  # the event is written before the status is
        return Verdict.WAIT if waited < DECISION_PATIENCE else Verdict.DROP
    # A run that was started again by hand may carry the tags of the one that it repeats.
    if retry is not None and retry.parent_run_id == run.run_id:
        return Verdict.DROP
    will_retry = run.tags.get(WILL_RETRY)
    if will_retry is None:
        return Verdict.WAIT if retries and waited < DECISION_PATIENCE else Verdict.TELL
    promised = will_retry == "true" and run.remote_job_origin is not None and RETRY_RUN not in run.tags
    return Verdict.WAIT if promised and waited < RETRY_PATIENCE else Verdict.TELL

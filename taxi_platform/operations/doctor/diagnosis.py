"""All checks in the order of the report, run at the same time."""

import threading
import time
from collections.abc import Mapping

from taxi_platform.errors import TaxiError, missing_extras
from taxi_platform.operations.doctor import (
    Diagnosis,
    Examine,
    Finding,
    dagster_state,
    machine,
    problem,
    problem_of,
    servers,
)
from taxi_platform.settings import Settings, invalid_settings, settings

# Requests to other machines have shorter timeouts; this is for names that are never resolved.
LIMIT_SECONDS = dagster_state.LOAD_SECONDS + 1.0

CHECKS: Mapping[str, Examine] = {
    "installation": machine.examine_installation,
    "settings": machine.examine_settings,
    "data folder": machine.examine_data_folder,
    "source": servers.examine_source,
    "PostgreSQL": servers.examine_postgres,
    "embedded server": servers.examine_embedded,
    "Dagster's home": dagster_state.examine_home,
    "code location": dagster_state.examine_code_location,
    "daemons": dagster_state.examine_daemons,
    "ports": machine.examine_ports,
    "Google Cloud": servers.examine_cloud,
    "alerts": servers.examine_alerts,
}


def diagnose(checks: Mapping[str, Examine] = CHECKS) -> Diagnosis:
    """Run the checks and return their findings by subject. All of them need valid settings."""
    errors = invalid_settings()
    if errors:
        rest = problem(
            "nothing else was checked, because every check needs the settings", "Correct them and try again."
        )
        return [("settings", [*map(problem_of, errors), rest])]
    return [(subject, findings) for subject, findings in run_checks(checks, settings()) if findings]


def run_checks(checks: Mapping[str, Examine], settings: Settings, seconds: float = LIMIT_SECONDS) -> Diagnosis:
    """Run the checks at the same time, so that slow ones wait together, and return their findings in their order."""
    end = time.monotonic() + seconds
    diagnosis: dict[str, list[Finding]] = {subject: [] for subject in checks}
    # Daemon threads, so that a host that hangs does not keep the command from ending.
    threads = {
        subject: threading.Thread(target=_run, args=(examine, settings, diagnosis[subject]), daemon=True)
        for subject, examine in checks.items()
    }
    for thread in threads.values():
        thread.start()
    for subject, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            advice = "Try again; if it happens again, a server hangs."
            diagnosis[subject].append(problem(f"no answer within {seconds:.0f} s", advice))
    return list(diagnosis.items())


def _run(examine: Examine, settings: Settings, findings: list[Finding]) -> None:
    try:
        with missing_extras():
            for finding in examine(settings):
                findings.append(finding)  # at once, because a later one may hang
    except TaxiError as error:
        findings.append(problem_of(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        what = f"{place}{(error.strerror or str(error)).lower()}"
        findings.append(problem(what, "Check that it exists, and who may read it."))
    except Exception as error:  # a check that fails must not hide the others
        findings.append(problem(f"the check itself failed: {type(error).__name__}: {error}", "Please report it."))

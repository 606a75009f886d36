"""All checks in the order of the report."""

from collections.abc import Sequence

from taxi_platform.operations.doctor import dagster_state, machine, servers
from taxi_platform.operations.doctor.findings import Check, Diagnosis, problem, problem_of, run_checks
from taxi_platform.settings import invalid_settings, settings

CHECKS = (
    Check("installation", machine.examine_installation),
    Check("settings", machine.examine_settings),
    Check("data folder", machine.examine_data_folder),
    Check("source", servers.examine_source),
    Check("PostgreSQL", servers.examine_postgres),
    Check("embedded server", servers.examine_embedded),
    Check("Dagster's home", dagster_state.examine_home),
    Check("code location", dagster_state.examine_code_location, seconds=dagster_state.LOAD_SECONDS + 1),
    Check("daemons", dagster_state.examine_daemons),
    Check("ports", machine.examine_ports),
    Check("Google Cloud", servers.examine_cloud),
    Check("alerts", servers.examine_alerts),
)


def diagnose(checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Run the checks and return their findings by subject; subjects without findings are left out.

    Settings that are not valid are the only findings, because every other check needs the settings.
    """
    errors = invalid_settings()
    if errors:
        rest = problem(
            "nothing else was checked, because every check needs the settings", "Correct them and try again."
        )
        return [("settings", [*map(problem_of, errors), rest])]
    return [(subject, findings) for subject, findings in run_checks(checks, settings()) if findings]

"""All checks, in the order of the report, and the one thing that comes before them: settings that can be read."""

from collections.abc import Sequence

from taxi_platform.operations.doctor import (
    alert_addresses,
    cloud,
    code_location,
    daemons,
    dagster_home,
    data_folder,
    embedded,
    installation,
    ports,
    postgres,
    source,
    variables,
)
from taxi_platform.operations.doctor.findings import Check, examined
from taxi_platform.operations.doctor.report import Diagnosis
from taxi_platform.settings import invalid_settings, settings

CHECKS = (
    Check("installation", installation.examine),
    Check("settings", variables.examine),
    Check("data folder", data_folder.examine),
    Check("source", source.examine),
    Check("PostgreSQL", postgres.examine),
    Check("embedded server", embedded.examine),
    Check("Dagster's home", dagster_home.examine),
    Check("code location", code_location.examine, seconds=code_location.SECONDS + 1),
    Check("daemons", daemons.examine),
    Check("ports", ports.examine),
    Check("Google Cloud", cloud.examine),
    Check("alerts", alert_addresses.examine),
)


def diagnosis(checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """What is found now, by subject; subjects with nothing to say are left out."""
    errors = invalid_settings()
    if errors:
        return [("settings", list(variables.invalid(errors)))]
    found = [(check.subject, findings) for check, findings in examined(checks, settings())]
    return [(subject, findings) for subject, findings in found if findings]

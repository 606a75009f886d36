"""The addresses of alerts: whether Apprise knows them. Nothing is sent."""

from collections.abc import Iterator

from taxi_platform.operations.alerts import addresses_of, problem_with
from taxi_platform.operations.doctor.findings import Finding, ok, problem
from taxi_platform.settings import Settings

EXAMPLES = "Examples are in docs/troubleshooting.md."


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at each address of ``TAXI_ALERT_URLS``."""
    if settings.alert_urls is None:
        yield ok("TAXI_ALERT_URLS is not set, so nobody is told of failed runs")
        return
    addresses = addresses_of(settings.alert_urls.get_secret_value())
    wrong = {address: said for address in addresses if (said := problem_with(address))}
    for address, said in wrong.items():
        yield problem(f"TAXI_ALERT_URLS, {address.name}: {said}", EXAMPLES)
    good = [address.name for address in addresses if address not in wrong]
    if good:
        yield ok(f"failed runs are told to {', '.join(good)}")

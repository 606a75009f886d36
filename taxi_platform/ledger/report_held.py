"""Which months of a service are in its table, of all that the tables say of themselves. Pure."""

from collections.abc import Mapping

from taxi_platform.ledger.holdings import Holding
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def months_held(held: Mapping[str, Holding], service: Service) -> dict[Month, Holding]:
    """The months of one service, in order.

    Args:
        held: every month by the name of its file.
        service: whose months are wanted.
    """
    begin = f"{service.table}_"
    months = {
        Month.parse(name.removeprefix(begin).removesuffix(".csv")): holding
        for name, holding in held.items()
        if name.startswith(begin)
    }
    return dict(sorted(months.items()))

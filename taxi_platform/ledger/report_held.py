"""Which months of a service are in its table, of all that the tables say of themselves. Pure."""

from collections.abc import Mapping

from taxi_platform.ledger.holdings import Holding
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def months_held(held: Mapping[str, Holding], service: Service) -> dict[Month, Holding]:
    """The months of one service, in order.

    Args:
        held: every month by the name of its file.
        service: whose months are wanted.
    """
    files = {parse_file_name(name): holding for name, holding in held.items()}
    return {file[1]: files[file] for file in sorted(filter(None, files)) if file[0] == service.name}

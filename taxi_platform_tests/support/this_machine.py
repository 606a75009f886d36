"""The names, ports and folders of containers, translated for processes of this machine."""

import random
import re
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from taxi_platform_tests.support.compose import Service

# Below the ports that the kernel gives to outgoing connections, so that a port is still free after a restart.
PORTS = range(15_000, 32_000)


class OnThisMachine:
    """Translates texts of a container for this machine: services' names, ports and folders.

    Args:
        root: the folder that takes the place of ``/`` in every container.
        services: all services, whose names and ports are replaced.

    Attributes:
        ports: the port of this machine for each port of a container.
    """

    def __init__(self, root: Path, services: Iterable[Service]) -> None:
        self._root = root
        self._names = "|".join(name for service in services for name in (service.name, *service.aliases))
        numbers = [port for service in services for port in service.ports]
        assert len(numbers) == len(set(numbers)), "two services listen on the same port; give one of them another"
        self.ports = dict(zip(numbers, free_ports(len(numbers)), strict=True))

    def __call__(self, text: str) -> str:
        """Return the text for this machine."""
        hosts = rf"\b(?:{self._names})(?=:\d)|^(?:{self._names})$|(?<=--host )(?:{self._names})(?= )|\b0\.0\.0\.0\b"
        text = re.sub(hosts, "127.0.0.1", text)
        text = re.sub(r"(?<![\w./])\d{4,5}(?![\w.])", lambda found: str(self._port(found[0])), text)
        text = text.replace("/opt/venv/bin", str(Path(sys.executable).parent))
        return re.sub(r"(?<![\w.])/(app|data|google|opt/dagster|etc/caddy)(?![\w-])", rf"{self._root}/\1", text)

    def _port(self, number: str) -> int:
        return self.ports.get(int(number), int(number))


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("this machine has no free port")


def is_open(port: int) -> bool:
    """Return whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

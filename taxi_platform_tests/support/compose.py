"""docker-compose.yml as Compose reads it: variables filled in, words split, profiles chosen.

Nothing is started here.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import yaml
from dotenv import dotenv_values

from taxi_platform.settings import PROJECT

FILE = PROJECT / "docker-compose.yml"
EXAMPLE = PROJECT / ".env.example"
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?+])(?P<rest>[^}]*))?\})")


class NotSet(Exception):
    """A required variable is not set: Compose would not start anything."""


@dataclass(frozen=True)
class Service:
    """One service, as Compose would start it.

    Attributes:
        name: its host name for the others.
        image: its image.
        command: the program and its arguments; arguments alone are for the image's program.
        environment: its variables, besides those of its image.
        ports: those that it listens on, in its container.
        aliases: its further host names.
        files: files of the project, by the path at which the container has them.
        healthcheck: the program whose exit status shows whether it is healthy.
        depends_on: the services that have to be healthy before it starts.
        profiles: the profiles that start it; without any, it is always started.
    """

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Sequence[int]
    aliases: Sequence[str]
    files: Mapping[str, str]
    healthcheck: Sequence[str]
    depends_on: Sequence[str]
    profiles: Sequence[str]


def read() -> dict[str, Any]:
    """Return the file's content with its anchors resolved."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def services(variables: Mapping[str, str], profiles: Iterable[str] = ()) -> dict[str, Service]:
    """Return the services that Compose would start with these variables in its shell or ``.env``.

    Raises:
        NotSet: a required variable is empty or absent, even one of a service whose profile is not chosen.
    """
    found = {name: _service(name, filled(one, variables), variables) for name, one in read()["services"].items()}
    return {name: one for name, one in found.items() if not one.profiles or set(one.profiles) & set(profiles)}


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a value of the file with its variables filled in.

    Raises:
        NotSet: a required variable is empty or absent.
    """
    if isinstance(value, dict):
        return {key: filled(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, variables) for part in value]
    return VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def in_env_example() -> dict[str, str | None]:
    """Return every variable of ``.env.example`` with its value there, also those that are commented out."""
    lines = re.findall(r"^(?:# )?([A-Z][A-Z_]*=.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    return dotenv_values(stream=StringIO("\n".join(lines)), interpolate=False)


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    value = variables.get(found["name"], "")
    if not value and found["how"] == ":?":
        raise NotSet(f"{found['name']}: {found['rest']}")
    if found["how"] == ":+":
        return found["rest"] if value else ""
    return value or (found["rest"] if found["how"] == ":-" else "")


def _service(name: str, one: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    environment = {
        key: variables.get(key) if value is None else value for key, value in one.get("environment", {}).items()
    }
    published = [text.rpartition(":")[2] for text in one.get("ports", [])]
    networks = one.get("networks", {})
    joined = networks.values() if isinstance(networks, dict) else ()
    mounts = [text.split(":")[:2] for text in one.get("volumes", []) if text.startswith("./")]
    return Service(
        name=name,
        image=one["image"],
        command=shlex.split(one.get("command", "")),
        environment={key: value for key, value in environment.items() if value is not None},
        ports=[int(port) for port in [*published, *one.get("expose", [])]],
        aliases=[alias for how in joined for alias in how.get("aliases", [])],
        files={inside: outside for outside, inside in mounts},
        healthcheck=_test(one["healthcheck"]["test"]),
        depends_on=list(one.get("depends_on", {})),
        profiles=one.get("profiles", []),
    )


def _test(test: str | list[str]) -> Sequence[str]:
    """Return the command of a health check: a text is for the shell, and a list names its kind in its first word."""
    return ["/bin/sh", "-c", test] if isinstance(test, str) else test[1:]

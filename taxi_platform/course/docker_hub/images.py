"""Names of images, and what Docker Hub says of one. Pure: nobody is asked here."""

import re
from collections.abc import Mapping
from typing import Any, cast

from taxi_platform.errors import DamagedFile, InvalidSetting

_OWNER = re.compile(r"[a-z0-9]+(?:[_-]+[a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")
_LONGEST = 255  # characters, Docker's own limit
_ADVICE = "Write owner/name, as in kestra/kestra, or the name of an official image, as in python."


def repository(image: str) -> str:
    """The repository of an image, e.g. ``kestra/kestra``; official images belong to ``library``.

    Raises:
        InvalidSetting: this names no image of Docker Hub.
    """
    name = image.strip()
    owner, slash, rest = name.partition("/")
    if not slash:
        owner, rest = "library", name
    if len(name) > _LONGEST or not (_OWNER.fullmatch(owner) and _NAME.fullmatch(rest)):
        raise InvalidSetting(f"image {_shown(name)}", _problem(name), _ADVICE)
    return f"{owner}/{rest}"


def pulls_of(answer: Any, image: str) -> int:
    """The count of pulls in Docker Hub's answer.

    Raises:
        DamagedFile: it is missing or no count.
    """
    fields = cast("Mapping[str, Any]", answer) if isinstance(answer, dict) else None
    if fields is None or "pull_count" not in fields:
        raise DamagedFile(image, "Docker Hub's answer has no pull_count", "Its interface may have changed.")
    count = fields["pull_count"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise DamagedFile(image, f"its pull_count is no count: {_shown(count)}", "Its interface may have changed.")
    return count


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if ":" in name or "@" in name:
        return "pulls are counted for all versions of an image at once: leave out what follows : or @"
    if name.count("/") > 1 or "." in name.partition("/")[0]:
        return "it has more than an owner and a name; images of other registries have no count on Docker Hub"
    return "names are of lower-case letters and digits, with . _ or - between them"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"

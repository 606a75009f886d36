"""Which source a ``TAXI_SOURCE`` names, and how long its server may take to answer."""

from pathlib import Path

from taxi_platform.errors import InvalidSetting
from taxi_platform.retries import METADATA
from taxi_platform.settings import PROJECT
from taxi_platform.sources.http import EXAMPLE, SHORT_TIMEOUTS, HttpSource
from taxi_platform.sources.source import Source

VALID = (
    f"It is an address with placeholders ({EXAMPLE}), "
    "an existing folder of .csv.gz or .csv files, or sample, or sample:0.1 for a tenth of its rows."
)


def source_named(text: str, *, short_timeouts: bool = False) -> Source:
    """Return the source that a ``TAXI_SOURCE`` names: an address, the sample, or else a folder.

    A folder that is called ``sample`` is written ``./sample``; relative folders start at the project.

    Args:
        text: the setting's value.
        short_timeouts: for requests that only need metadata: a server is given up after seconds, not minutes.

    Raises:
        InvalidSetting: it names none of these, a folder that does not exist, or an impossible scale.
    """
    name = text.strip()
    if "://" in name:
        return HttpSource(name, retries=METADATA, timeouts=SHORT_TIMEOUTS) if short_timeouts else HttpSource(name)
    kind, colon, scale = name.partition(":")
    if kind == "sample":
        return _sample(name, scale if colon else "1")
    return _folder(name)


def _sample(name: str, scale: str) -> Source:
    from taxi_platform.sources.sample import SampleSource

    try:
        factor = float(scale)
    except ValueError:
        raise _invalid(name, f"the scale of the sample is not a number: {scale!r}") from None
    return SampleSource(factor)


def _folder(name: str) -> Source:
    from taxi_platform.sources.folder import FolderSource

    if not name:
        raise _invalid(name, "it is empty")
    try:
        folder = (PROJECT / Path(name).expanduser()).resolve()
        exists = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, an unknown ~user, a NUL
        raise _invalid(name, f"it cannot be read as a folder: {error}") from None
    if not exists:
        raise _invalid(name, f"there is no folder {folder}")
    return FolderSource(folder)


def _invalid(name: str, problem: str) -> InvalidSetting:
    return InvalidSetting(f"TAXI_SOURCE={name}", problem, VALID)

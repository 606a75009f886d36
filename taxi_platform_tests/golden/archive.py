"""Packs the data of version 0.1 into one archive, and restores it in another place.

The archive contains the data folder, the source folder, and the dumps of two databases. Paths, ports, the host name and
values computed from them are replaced by placeholders, which are filled in on restore.
"""

import gzip
import hashlib
import io
import json
import os
import re
import socket
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).parent
ARCHIVE = HERE / "version_0_1.tar.gz"
MANIFEST, TRIPS, STATE = "manifest.json", "trips.sql", "dagster.sql"
CLOSED_PORT = 9  # used when a test starts no server
NO_PROCESS = 99_999_999  # an id that no process can have: it is larger than Linux's largest
# Folders below the one that is packed.
DATA, SOURCE, HOME = "data", "source", "home_of_0_1"
PACKED = (f"{DATA}/raw", f"{DATA}/landing", SOURCE, HOME)

_COPY = re.compile(r"^COPY .* FROM stdin;\n(?P<rows>(?:.*\n)*?)\\\.\n", re.MULTILINE)
# Since PostgreSQL 18 a generated column is virtual unless its definition says otherwise.
_GENERATED = re.compile(r"(unique_row_id text GENERATED ALWAYS AS .*?)(?=,\n    filename )", re.DOTALL)


@dataclass(frozen=True)
class Restored:
    """The restored data of version 0.1.

    Attributes:
        folder: the folder of its files.
        manifest: the other recorded values: cursors of sensors, published files, and the runs' states.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def data(self) -> Path:
        """The folder for ``TAXI_DATA_DIR``."""
        return self.folder / DATA

    @property
    def home(self) -> Path:
        """A ``DAGSTER_HOME`` whose ``dagster.yaml`` is a copy of the one of version 0.1."""
        return self.folder / HOME

    @property
    def source(self) -> Path:
        """The folder for ``TAXI_SOURCE``."""
        return self.folder / SOURCE

    def tokens(self) -> dict[str, str]:
        """Return a description of each published file by its token, which run keys and cursors contain."""
        return {
            token(self.source / name, size, mtime_ns): f"{name} of {size} bytes"
            for name, size, mtime_ns in self.manifest["published"]
        }


def token(path: Path, size: int, mtime_ns: int) -> str:
    """Compute the token of a version of a file in a folder as version 0.1 did."""
    from datetime import datetime, timezone

    modified = datetime.fromtimestamp(mtime_ns / 1e9, timezone.utc).isoformat(timespec="seconds")
    spelled = json.dumps([str(path), f'"{size:x}-{mtime_ns:x}"', modified, size])
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def pack(folder: Path, dumps: Mapping[str, str], manifest: Mapping[str, Any], port: int) -> None:
    """Write the archive.

    Args:
        folder: the folder that contains the data folder and the folder of the source.
        dumps: the text of each dump, by its name in the archive.
        manifest: the other values to record.
        port: the port of the server that published files.
    """
    files = [path for part in PACKED for path in sorted((folder / part).rglob("*")) if path.is_file()]
    files = [path for path in files if not path.name.endswith(".lock")]
    published = [(name, size, mtime_ns) for name, size, mtime_ns in manifest["published"]]
    places = {
        **{token(folder / SOURCE / name, size, at): f"@TOKEN{n}@" for n, (name, size, at) in enumerate(published)},
        **{_changed(path): f"@CHANGED:{path.name}@" for path in _dropped(folder)},
        f"127.0.0.1:{port}": "@PUBLISHER@",
        str(folder): "@FOLDER@",
        str(Path.cwd()): "@PROJECT@",
        sys.prefix: "@PYTHON@",
        socket.gethostname(): "@HOST@",
    }
    times = {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}
    texts = {**dumps, MANIFEST: json.dumps({**manifest, "times": times}, indent=1)}
    contents = {name: _replaced(text, places).encode() for name, text in texts.items()}
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".json":  # a sidecar file
            content = _replaced(content.decode(), places).encode()
        contents[str(path.relative_to(folder))] = content
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    ARCHIVE.write_bytes(gzip.compress(packed.getvalue(), compresslevel=9, mtime=0))


def unpack(folder: Path, trips: str, state: str, *, port: int = CLOSED_PORT) -> Restored:
    """Restore the data of version 0.1.

    Args:
        folder: an empty folder for its files.
        trips: the URL of an empty database for its trips.
        state: the URL of an empty database for Dagster's state.
        port: the port of a server that publishes the files of fhv, if the test needs one.
    """
    with tarfile.open(ARCHIVE) as tar:
        contents = {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers()}  # pyright: ignore[reportOptionalMemberAccess]
    manifest = json.loads(contents[MANIFEST])
    for name in manifest["times"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents[name])
    published = enumerate(manifest["published"])
    places = {
        **{f"@TOKEN{n}@": token(folder / SOURCE / name, size, at) for n, (name, size, at) in published},
        "@PUBLISHER@": f"127.0.0.1:{port}",
        "@FOLDER@": str(folder),
        "@HOST@": socket.gethostname(),
        '"pid": 4711,': f'"pid": {NO_PROCESS},',  # a process of this machine may have the recorded id
    }
    for name, mtime_ns in manifest["times"].items():
        path = folder / name
        if path.suffix == ".json":
            path.write_text(_replaced(path.read_text(), places))
        os.utime(path, ns=(mtime_ns, mtime_ns))
    places |= {f"@CHANGED:{path.name}@": _changed(path) for path in _dropped(folder)}
    _load(trips, _replaced(contents[TRIPS].decode(), places))
    _load(state, _replaced(contents[STATE].decode(), places))
    _name_filenodes(trips, manifest["untouched"])
    return Restored(folder, json.loads(_replaced(contents[MANIFEST].decode(), places)))


def untouched(trips: str) -> list[str]:
    """Return the files whose partitions still have the filenode that ``tripdata_files`` records."""
    with psycopg.connect(trips) as connection:
        answer = connection.execute(
            b"select filename from tripdata_files where filenode = pg_relation_filenode(to_regclass(partition_name))"
        )
        return sorted(name for (name,) in answer.fetchall())


def _name_filenodes(trips: str, names: list[str]) -> None:
    """Update the filenodes in ``tripdata_files``, because a restored table has a new one."""
    with psycopg.connect(trips) as connection:
        connection.execute(
            b"update tripdata_files set filenode = case when filename = any(%s) "
            b"then pg_relation_filenode(to_regclass(partition_name)) else 1 end",
            (names,),
        )


def _dropped(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / DATA / "landing").glob("*") if path.is_file())


def _changed(path: Path) -> str:
    """Return a dropped file's version in the format of version 0.1. Its last part, ctime, cannot be restored."""
    state = path.stat()
    return f"{state.st_size:x}-{state.st_mtime_ns:x}-{state.st_ctime_ns:x}"


def _replaced(text: str, places: Mapping[str, str]) -> str:
    if not places:
        return text
    # Only whole words: a host name can be as short as a syllable.
    patterns = (rf"\b{place}\b" if place.isalnum() else re.escape(place) for place in places)
    return re.sub("|".join(patterns), lambda match: places[match[0]], text)


def _load(url: str, dump: str) -> None:
    """Execute a plain dump of ``pg_dump`` without ``psql``."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.info.server_version < 180_000:
            dump = _GENERATED.sub(r"\1 STORED", dump)
        for statement, rows in _statements(dump):
            if rows is None:
                connection.execute(statement.encode())
            else:
                with connection.cursor().copy(statement.encode()) as copy:
                    copy.write(rows.encode())


def _statements(dump: str) -> Iterator[tuple[str, str | None]]:
    """Split a dump into statements; a COPY comes with its rows."""
    at = 0
    for copy in _COPY.finditer(dump):
        yield _plain(dump[at : copy.start()]), None
        yield copy[0].partition("\n")[0], copy["rows"]
        at = copy.end()
    yield _plain(dump[at:]), None


def _plain(sql: str) -> str:
    """Remove lines that only ``psql`` or a newer server understands."""
    return "\n".join(line for line in sql.splitlines() if not line.startswith(("\\", "SET ", "--")))

"""The data of version 0.1 as one archive, and how it becomes a working platform in another place.

The archive holds the data folder, the folder of the source, and the dumps of two databases. Paths, ports, the name of
the machine and what was computed from them are replaced by placeholders, which are filled in when it is unpacked.
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
CLOSED_PORT = 9  # of the server that published files, where a test starts none
# Folders below the one that is packed.
DATA, SOURCE, HOME = "data", "source", "home_of_0_1"
PACKED = (f"{DATA}/raw", f"{DATA}/landing", SOURCE, HOME)

_COPY = re.compile(r"^COPY .* FROM stdin;\n(?P<rows>(?:.*\n)*?)\\\.\n", re.MULTILINE)
# Since PostgreSQL 18 a generated column is virtual unless its definition says otherwise.
_GENERATED = re.compile(r"(unique_row_id text GENERATED ALWAYS AS .*?)(?=,\n    filename )", re.DOTALL)


@dataclass(frozen=True)
class Restored:
    """The data of version 0.1 in its new place.

    Attributes:
        folder: where it was unpacked.
        manifest: what else was recorded: cursors of sensors, and which files were published.
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
        """By the token that stands for a version of a published file in run keys and cursors, the file's name."""
        return {
            token(self.source / name, size, mtime_ns): f"{name} of {size} bytes"
            for name, size, mtime_ns in self.manifest["published"]
        }


def token(path: Path, size: int, mtime_ns: int) -> str:
    """The token of a version of a file in a folder, as version 0.1 computed it from the path and the version."""
    from datetime import datetime, timezone

    modified = datetime.fromtimestamp(mtime_ns / 1e9, timezone.utc).isoformat(timespec="seconds")
    spelled = json.dumps([str(path), f'"{size:x}-{mtime_ns:x}"', modified, size])
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def pack(folder: Path, dumps: Mapping[str, str], manifest: Mapping[str, Any], port: int) -> None:
    """Write the archive.

    Args:
        folder: holds the data folder and the folder of the source.
        dumps: the text of each dump, by its name in the archive.
        manifest: what else is needed to restore it.
        port: where files were published.
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
        port: where a server publishes the files that came by HTTP.
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
    """The files whose tables are those that were recorded: ``tripdata_files`` names the filenode of each."""
    with psycopg.connect(trips) as connection:
        found = connection.execute(
            b"select filename from tripdata_files where filenode = pg_relation_filenode(to_regclass(partition_name))"
        )
        return sorted(name for (name,) in found.fetchall())


def _name_filenodes(trips: str, names: list[str]) -> None:
    """Correct the filenodes in ``tripdata_files``, which a dump and its restoration change."""
    with psycopg.connect(trips) as connection:
        connection.execute(
            b"update tripdata_files set filenode = case when filename = any(%s) "
            b"then pg_relation_filenode(to_regclass(partition_name)) else 1 end",
            (names,),
        )


def _dropped(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / DATA / "landing").glob("*") if path.is_file())


def _changed(path: Path) -> str:
    """The end of a dropped file's version, which nobody can choose: when its inode was changed."""
    state = path.stat()
    return f"{state.st_size:x}-{state.st_mtime_ns:x}-{state.st_ctime_ns:x}"


def _replaced(text: str, places: Mapping[str, str]) -> str:
    if not places:
        return text
    # A word is replaced where it is a word, because the name of a machine may be as short as any syllable.
    patterns = (rf"\b{place}\b" if place.isalnum() else re.escape(place) for place in places)
    return re.sub("|".join(patterns), lambda found: places[found[0]], text)


def _load(url: str, dump: str) -> None:
    """Execute what ``pg_dump`` has written, without ``psql``."""
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
    """The statements of a dump; with a COPY come its rows."""
    at = 0
    for copy in _COPY.finditer(dump):
        yield _plain(dump[at : copy.start()]), None
        yield copy[0].partition("\n")[0], copy["rows"]
        at = copy.end()
    yield _plain(dump[at:]), None


def _plain(sql: str) -> str:
    """The statements without what only ``psql`` or a newer server understands."""
    return "\n".join(line for line in sql.splitlines() if not line.startswith(("\\", "SET ", "--")))

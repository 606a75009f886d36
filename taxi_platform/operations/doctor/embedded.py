"""The embedded PostgreSQL: whether it runs, answers, and can be started. It is never started from here."""

from collections.abc import Iterator
from pathlib import Path

from taxi_platform.operations.doctor.findings import Finding, ok, problem, warning
from taxi_platform.postgres.embedded import cluster, postmaster, programs
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import Settings


def server_of(settings: Settings) -> EmbeddedServer:
    """The embedded server of these settings, running or not."""
    return trips_server(settings).embedded


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the server, if the trips or Dagster's state are kept there."""
    server = server_of(settings)
    if settings.postgres_url and settings.dagster_postgres_url:
        if server.folder.exists():
            yield ok(f"not used: TAXI_POSTGRES_URL and TAXI_DAGSTER_POSTGRES_URL are set ({server.folder})")
        return
    programs.installed()
    programs.account_for(server.data)
    if not server.data.exists():
        yield ok("never started; the first command that needs it makes and starts it")
        return
    cluster.check_version(server.data)
    yield from _running(server)


def _running(server: EmbeddedServer) -> Iterator[Finding]:
    from taxi_platform.postgres.connection import connect

    folder: Path = server.folder
    if server.is_running():
        with connect(server.url()) as connection:
            version = connection.info.server_version
            place = f"127.0.0.1:{connection.info.port}"
        yield ok(f"PostgreSQL {version // 10_000}.{version % 10_000} runs on {place}, in {folder}")
    elif postmaster.is_locked(folder / "lock"):
        yield warning(
            "it is being started or stopped, or hangs", f"Wait a moment and ask again; its log is in {server.data}/log."
        )
    elif not (folder / "password").exists():
        yield problem(f"{folder}/password is gone", "Put it back, or remove the folder and load anew.")
    else:
        yield ok(f"not running; the next command that needs it starts it ({folder})")

"""Runs commands as forks of a server that has already imported Dagster or dbt, which saves seconds for each command.

Each command has its own process, with the arguments, environment, folder, inputs and outputs of a client, which ends
with its exit status; if the client is killed, the process is killed, too. The server has imported the platform, but not
its definitions, nor anything else that depends on settings. xdist's workers share it; it ends with the session.
This file is both the server and the client, and the client must import next to nothing.
"""

import json
import os
import select
import signal
import socket
import sys
from functools import cache
from importlib import import_module
from typing import Any

_OF_DAGSTER = {"dagster": "dagster._cli:main", "dg": "dagster_dg_cli.cli:main", "taxi": "taxi_platform.cli.main:taxi"}
_OF_DBT = {"dbt": "dbt.cli.main:cli"}
# Modules that the server does not import: they depend on settings, or few commands need them.
_COLD = (
    *("taxi_platform.__main__", "taxi_platform.def", "taxi_platform.cli.mcp", "taxi_platform.trips.exact"),
    *("taxi_platform.trips.parquet", "taxi_platform.orchestration.google_resources"),
)
_servers: list[Any] = []
SESSION = "TAXI_TEST_SESSION"  # the id of the process that ends last of all that belong to a session


def in_a_shell() -> str:
    """Return the lines that make a shell run the commands in the server."""
    client = " ".join(client_of("dagster"))
    return "".join(f'{name}() {{ {client} {name} "$@"; }}\n' for name in _OF_DAGSTER)


def use_for_dbt(patch: Any) -> None:
    """Make the platform run dbt as a fork of the server while the patch is active."""
    patch.setattr("taxi_platform.models.project.DBT", (*client_of("dbt"), "dbt"))


@cache
def client_of(kind: str) -> list[str]:
    """Return what to put before a command; the first process of the session that asks starts the server."""
    from fcntl import LOCK_EX, flock
    from pathlib import Path
    from subprocess import DEVNULL, PIPE, Popen

    place = f"{os.environ['TAXI_TEST_SERVER_FOLDER']}/{kind}"
    with Path(f"{place}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not Path(place).exists():
            kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", SESSION)}
            server = Popen([sys.executable, __file__, "serve", place], env=kept, stdin=DEVNULL, stdout=PIPE)
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            _servers.append(server)
    return [sys.executable, "-IS", __file__, place]


def _import_all(kind: str) -> None:
    import gc
    import pkgutil

    import taxi_platform

    gc.disable()
    if kind == "dbt":
        names = ["dbt.cli.main", "dbt.adapters.bigquery", "dbt.adapters.postgres"]
    else:
        modules = pkgutil.walk_packages(taxi_platform.__path__, "taxi_platform.")
        names = ["dagster._cli", "dagster_dg_cli.cli", "dagster_postgres", *(module.name for module in modules)]
    for name in names:
        if not name.startswith(_COLD):
            import_module(name)
    if kind == "dagster":
        import_module("taxi_platform_tests.support.step_output").repeat_at_the_end()
    gc.freeze()
    gc.enable()


def _until_asked(place: str) -> list[str]:
    """Fork for every client; return its command in the forked process."""
    session = os.pidfd_open(int(os.environ[SESSION]))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        print("ready", flush=True)
        while session not in select.select([listener, session], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                return _forked(connection)
            connection.close()
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
                pass
    os._exit(0)


def _forked(connection: socket.socket) -> list[str]:
    message, outputs, *_ = socket.recv_fds(connection, 1_000_000, 3)
    command, environment, folder = json.loads(message)
    if child := os.fork():
        if connection in select.select([connection, os.pidfd_open(child)], [], [])[0]:
            os.kill(child, signal.SIGKILL)  # the client is gone
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(str(status).encode())
        os._exit(0)
    connection.close()
    for number, output in enumerate(outputs):
        os.dup2(output, number)
        os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return command


def _ask(place: str, command: list[str]) -> int:
    """Run a command as a fork of the server; return its exit status, or die by the signal that ended it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place)
        here = os.getcwd()  # noqa: PTH109 - pathlib takes longer to import than all the rest
        socket.send_fds(connection, [json.dumps([command, dict(os.environ), here]).encode()], [0, 1, 2])
        status = int(connection.recv(8))
    if status < 0:
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    if sys.argv[1] != "serve":
        sys.exit(_ask(sys.argv[1], sys.argv[2:]))
    sys.path[0] = __file__.partition("/taxi_platform_tests/")[0]  # instead of this folder
    _import_all(sys.argv[2].rpartition("/")[2])
    sys.argv = _until_asked(sys.argv[2])
    __package__ = None  # so that click names the command, not this module
    if sys.argv[0] == "python":  # -c, a program, and arguments
        program = sys.argv.pop(2)
        del sys.argv[0]
        exec(program, {"__name__": "__main__"})
    else:
        module, _, function = (_OF_DAGSTER | _OF_DBT)[sys.argv[0]].partition(":")
        sys.exit(getattr(import_module(module), function)())

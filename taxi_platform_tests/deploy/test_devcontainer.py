"""The devcontainer: in a codespace the web UI has its own host name, which it must know."""

import json

from starlette.requests import HTTPConnection

from taxi_platform.orchestration.web_guard import allowed_names, refusal
from taxi_platform.settings import PROJECT, Settings

DEVCONTAINER = json.loads((PROJECT / ".devcontainer/devcontainer.json").read_text("utf-8"))


def test_the_ui_answers_under_the_name_that_a_codespace_gives_it() -> None:
    (port,) = DEVCONTAINER["forwardPorts"]
    hosts = DEVCONTAINER["remoteEnv"]["TAXI_ALLOWED_HOSTS"]
    names = allowed_names(Settings(allowed_hosts=hosts.replace("${localEnv:CODESPACE_NAME}", "fuzzy-taxi")))
    for host in (f"fuzzy-taxi-{port}.app.github.dev", f"localhost:{port}"):
        headers = [(b"host", host.encode()), (b"origin", f"https://fuzzy-taxi-{port}.app.github.dev".encode())]
        assert refusal(HTTPConnection({"type": "websocket", "path": "/graphql", "headers": headers}), names) is None
    assert Settings(allowed_hosts=hosts.replace("${localEnv:CODESPACE_NAME}", ""))  # on a laptop

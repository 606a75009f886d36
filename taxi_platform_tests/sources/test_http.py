"""Downloads from a real server with every kind of failure, and what is left on disk afterwards."""

import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from random import Random

import pytest

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.retries import ONCE, RetryPolicy
from taxi_platform.sources import http
from taxi_platform.sources.http import CHUNK, HttpSource, sidecar_of
from taxi_platform.sources.responses import validator
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.trip_server import LAST_MODIFIED, Answer, Published, TripServer
from taxi_platform_tests.support.trip_texts import zipped

NAME = "green_tripdata_2019-03.csv.gz"
PATH = f"/green/{NAME}"
CONTENT = b"\x1f\x8b" + Random(2019).randbytes(4 * CHUNK + 1234)
CORRECTED = b"\x1f\x8b" + Random(2020).randbytes(len(CONTENT) - 2)
HALF = 2 * CHUNK
V1 = SourceVersion('"v1"', LAST_MODIFIED, len(CONTENT))
QUICK = RetryPolicy(attempts=3, first_wait=0.01, longest_wait=0.02, longest_retry_after=5.0)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[TripServer]:
    with TripServer() as server:
        server.publish(PATH, CONTENT)
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / NAME


def quick(server: TripServer, retries: RetryPolicy = QUICK, read_timeout: float = 10) -> HttpSource:
    return HttpSource(server.template, retries=retries, timeouts=(10, read_timeout))


def fetch(server: TripServer, target: Path) -> SourceVersion:
    return quick(server).fetch(server.url + PATH, target)


def failure(server: TripServer, target: Path, kind: type[TaxiError]) -> str:
    """Return the message with which a fetch fails; it names the file and the address."""
    with pytest.raises(kind) as caught:
        fetch(server, target)
    assert str(caught.value).startswith(f"{NAME}: ")
    assert server.url + PATH in str(caught.value)
    return str(caught.value)


def leave_half(server: TripServer, target: Path) -> None:
    """Interrupt a download and let it fail, so that the first half of the file is left."""
    server.script(PATH, Answer(cut_after=HALF))
    with pytest.raises(SourceUnreachable):
        quick(server, ONCE).fetch(server.url + PATH, target)
    assert target.read_bytes() == CONTENT[:HALF]
    server.requests.clear()


def sent(server: TripServer, header: str) -> list[str | None]:
    """Return the value that each request has in a header."""
    return [request.headers.get(header) for request in server.requests]


# Without failures


def test_a_file_arrives_byte_for_byte_and_nothing_else_is_left(server: TripServer, target: Path) -> None:
    assert quick(server).trips(GREEN, Month(2019, 3)) == server.url + PATH
    assert fetch(server, target) == quick(server).version(server.url + PATH) == V1
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [NAME]
    assert sent(server, "accept-encoding") == ["identity", "identity"]


def test_a_gzip_file_that_the_server_calls_encoded_is_stored_unchanged(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(headers={"Content-Encoding": "gzip"}))
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_redirects_are_followed_to_the_file(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(status=302, headers={"Location": "/storage/1234"})] * 3)
    server.publish("/storage/1234", Published(CONTENT, etag='"elsewhere"'))
    server.script("/storage/1234", Answer(cut_after=HALF))
    assert fetch(server, target).etag == '"elsewhere"'
    assert target.read_bytes() == CONTENT
    assert sent(server, "range")[-1] == f"bytes={HALF}-"
    assert quick(server).version(server.url + PATH).bytes == len(CONTENT)


def test_redirects_in_a_circle_are_reported_and_not_retried(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(status=302, headers={"Location": PATH})] * 60)
    assert "30 redirects" in failure(server, target, SourceUnreachable)
    assert len(server.requests) == 31


def test_a_large_file_needs_little_memory(server: TripServer, target: Path) -> None:
    size = 16 * 1024 * 1024
    server.publish(PATH, bytes(size))
    fetch(server, target)  # imports and caches do not count
    tracemalloc.start()
    try:
        fetch(server, target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert target.stat().st_size == size
    assert peak < 2 * 1024 * 1024


def test_only_a_long_download_logs_its_progress(
    server: TripServer, target: Path, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(server, target)
    assert log_lines == []
    monkeypatch.setattr(http, "PROGRESS_EVERY", 0)
    fetch(server, target)
    assert log_lines[-1] == f"{NAME}: {len(CONTENT):,} bytes of {len(CONTENT):,}"


# Final responses


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, NotPublished, "404 Not Found"),
        (410, NotPublished, "410 Gone"),
        (401, AccessDenied, "401 Unauthorized"),
        (403, AccessDenied, "403 Forbidden"),
        (451, AccessDenied, "451 "),
        (204, DamagedFile, "204 No Content"),
        (206, DamagedFile, "206 Partial Content"),  # no range was requested
    ],
)
def test_a_final_response_is_reported_and_not_retried(
    server: TripServer, target: Path, status: int, kind: type[TaxiError], words: str
) -> None:
    server.script(PATH, Answer(status=status))
    assert words in failure(server, target, kind)
    assert len(server.requests) == 1
    assert not target.exists()


# Temporary failures


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_failure_is_retried(server: TripServer, target: Path, status: int, log_lines: list[str]) -> None:
    server.script(PATH, *[Answer(status=status)] * 2)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert [line.partition(";")[0] for line in log_lines] == [
        f"{NAME}: {server.url}{PATH} could not be read: the server answers {status} {HTTPStatus(status).phrase}",
        f"{NAME}: the same error",
    ]
    assert log_lines[1].partition(";")[2].startswith(" attempt 3 of 3 in 0.0")


def test_a_lasting_failure_is_reported_with_its_cause_and_the_number_of_attempts(
    server: TripServer, target: Path
) -> None:
    server.script(PATH, *[Answer(status=503)] * 9)
    message = failure(server, target, SourceUnreachable)
    assert "could not be read: the server answers 503 Service Unavailable" in message
    assert len(server.requests) == 3


def test_a_request_for_the_version_is_retried_too(server: TripServer) -> None:
    server.script(PATH, Answer(status=503), Answer(reset=True))
    assert quick(server).version(server.url + PATH) == V1
    assert [request.method for request in server.requests] == ["HEAD"] * 3


@pytest.mark.parametrize("status", [403, 405, 501])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_without_head_is_asked_for_one_byte(server: TripServer, status: int, ranges: bool) -> None:
    server.publish(PATH, Published(CONTENT, ranges=ranges))
    server.script(PATH, Answer(status=status))
    assert quick(server).version(server.url + PATH) == V1
    assert [request.method for request in server.requests] == ["HEAD", "GET"]
    assert sent(server, "range")[1] == "bytes=0-0"


def test_a_version_that_neither_head_nor_get_may_read_is_denied(server: TripServer) -> None:
    server.script(PATH, *[Answer(status=403)] * 2)
    with pytest.raises(AccessDenied, match="403 Forbidden"):
        quick(server).version(server.url + PATH)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("3", 3, 3),
        ("Sun, 08 Nov 2076 10:00:00 GMT", None, None),  # longer than the longest wait
        ("Tue, 02 Apr 2019 10:00:00 GMT", 0, 0.03),
        ("soon", 0, 0.03),
        ("-1", 0, 0.03),
        ("²", 0, 0.03),
        ("Mon, 99 Feb 99999 99:99:99 GMT", 0, 0.03),
    ],
)
def test_retry_after_is_obeyed_as_a_number_or_a_date(
    server: TripServer, target: Path, no_waits: list[float], text: str, least: float | None, most: float | None
) -> None:
    header = text.encode("utf-8").decode("latin-1")  # sent as UTF-8: the server encodes headers as Latin-1
    server.script(PATH, Answer(status=429, headers={"Retry-After": header}))
    if least is None or most is None:
        assert "asks for a pause of " in failure(server, target, SourceUnreachable)
        assert len(server.requests) == 1
    else:
        fetch(server, target)
        assert least <= no_waits[0] <= most


def test_a_server_that_does_not_answer_is_given_up(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(delay=5)] * 3)
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="could not be read: timed out"):
        quick(server, read_timeout=0.2).fetch(server.url + PATH, target)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(reset=True), "reset by peer"),
        (Answer(cut_after=HALF, reset=True), "reset by peer"),
        (Answer(cut_after=HALF), "bytes read"),
        (Answer(cut_after=HALF, stall=5), "timed out"),
    ],
    ids=["a reset at first", "a reset half way", "a cut half way", "a stall half way"],
)
def test_a_broken_connection_is_replaced_and_the_download_resumed(
    server: TripServer, target: Path, answer: Answer, cause: str, log_lines: list[str]
) -> None:
    server.script(PATH, answer)
    assert quick(server, read_timeout=0.5).fetch(server.url + PATH, target) == V1
    assert target.read_bytes() == CONTENT
    assert cause in log_lines[0]
    assert len(server.requests) == 2
    if answer.cut_after and not answer.reset:
        assert sent(server, "range") == [None, f"bytes={HALF}-"]
        assert sent(server, "if-range") == [None, '"v1"']


def test_a_server_that_is_not_there_is_named_with_its_port(server: TripServer, target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SourceUnreachable, match=f"Connection refused.*{host}"):
            quick(server).fetch(f"http://{host}{PATH}", target)


def test_a_host_that_does_not_exist_is_named_with_what_works_without_a_network(
    server: TripServer, target: Path
) -> None:
    with pytest.raises(SourceUnreachable, match=r"\(nowhere\.invalid\).* TAXI_SOURCE=sample:0\.1 makes up trips"):
        quick(server).fetch(f"http://nowhere.invalid{PATH}", target)


# Incomplete responses


@pytest.mark.parametrize(
    "published",
    [
        Published(CONTENT, ranges=False),
        Published(CONTENT, tells_length=False),  # in chunks
        Published(CONTENT, etag=None),
        Published(CONTENT, etag=None, modified=None),
        Published(CONTENT, etag='W/"v1"', modified=None),
    ],
    ids=["without ranges", "in chunks", "only dated", "unidentified", "weakly identified"],
)
def test_a_cut_download_is_completed_whatever_the_server_supports(
    server: TripServer, target: Path, published: Published
) -> None:
    server.publish(PATH, published)
    server.script(PATH, Answer(cut_after=HALF))
    assert fetch(server, target) == SourceVersion(published.etag, published.modified, len(CONTENT))
    assert target.read_bytes() == CONTENT
    identity = validator(SourceVersion(published.etag, published.modified, None))
    assert sent(server, "if-range") == [None, identity]


def test_a_body_shorter_than_its_announced_length_is_never_complete(server: TripServer, target: Path) -> None:
    longer = {"Content-Length": str(len(CONTENT) + 1)}
    server.script(PATH, *[Answer(cut_after=len(CONTENT), headers=longer)] * 9)
    failure(server, target, SourceUnreachable)


@pytest.mark.parametrize("name", ["green_tripdata_2019-03.csv", NAME, "taxi_zone_lookup.csv"])
def test_a_body_that_ends_only_with_its_connection_is_refused(server: TripServer, tmp_path: Path, name: str) -> None:
    plain = b"VendorID\n" + b"2\n" * 1000
    address = server.publish(f"/{name}", zipped(plain[:1009]) + zipped(plain[1009:]) if name == NAME else plain)
    server.script(f"/{name}", Answer(cut_after=1009, headers={"Content-Length": None, "Connection": "close"}))
    with pytest.raises(DamagedFile, match=f"^{name}: .* without Content-Length and .* could be cut off"):
        quick(server).fetch(address, tmp_path / name)
    assert quick(server).fetch(address, tmp_path / name).bytes == (tmp_path / name).stat().st_size


@pytest.mark.parametrize(
    "corrected",
    [
        Published(CORRECTED, etag='"v2"'),
        Published(CORRECTED, etag='"v2"', checks_if_range=False),
        Published(CORRECTED[:1000], etag='"v2"', checks_if_range=False),  # 416 to the request for the rest
    ],
    ids=["If-Range is checked", "If-Range is ignored", "it became shorter"],
)
@pytest.mark.parametrize("by_a_later_call", [False, True])
def test_a_file_that_changed_since_the_cut_is_fetched_from_the_start(
    server: TripServer, target: Path, corrected: Published, by_a_later_call: bool
) -> None:
    if by_a_later_call:
        leave_half(server, target)
        server.publish(PATH, corrected)
    else:
        server.script(PATH, Answer(cut_after=HALF), Answer(file=corrected))
    assert fetch(server, target) == SourceVersion('"v2"', LAST_MODIFIED, len(corrected.content))
    assert target.read_bytes() == corrected.content


@pytest.mark.parametrize("wrong", ["bytes 0-999/{size}", "bytes {have}-{last}/{more}", "nonsense", None])
def test_a_part_that_was_not_requested_is_refused(server: TripServer, target: Path, wrong: str | None) -> None:
    size = len(CONTENT)
    header = wrong and wrong.format(have=HALF, last=size - 1, size=size, more=size + 1)
    server.script(PATH, Answer(cut_after=HALF), Answer(headers={"Content-Range": header}))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [None, f"bytes={HALF}-", None]


def test_the_rest_of_a_file_may_come_in_several_parts(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF), Answer(part=1000))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


# What an earlier call left


def test_a_later_call_resumes_what_an_earlier_one_left(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    server.script(PATH, Answer(status=404))
    failure(server, target, NotPublished)
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [f"bytes={HALF}-"] * 2
    assert not sidecar_of(target).exists()


def test_a_part_of_another_address_is_not_resumed(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    address = server.publish("/mirror/file.csv.gz", CORRECTED)
    quick(server).fetch(address, target)
    assert target.read_bytes() == CORRECTED
    assert sent(server, "range") == [None]


@pytest.mark.parametrize("sidecar", [None, "", "{", "[]", '{"address": 1}', '{"etag": "\\"v1\\""}'])
def test_a_part_without_a_valid_sidecar_file_is_not_resumed(
    server: TripServer, target: Path, sidecar: str | None
) -> None:
    target.write_bytes(CORRECTED[:HALF])
    if sidecar is not None:
        sidecar_of(target).write_text(sidecar)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [None]


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_part_as_long_as_the_file_or_longer_is_not_taken_for_the_file(
    server: TripServer, target: Path, more: bytes
) -> None:
    leave_half(server, target)
    target.write_bytes(CONTENT + more)
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT


FETCHING = """
    import sys
    from pathlib import Path
    from taxi_platform.sources.http import HttpSource

    template, address, target = sys.argv[1:]
    try:
        HttpSource(template).fetch(address, Path(target))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


def fetch_command(server: TripServer, target: Path) -> list[str]:
    """Return the command of a process that fetches the file."""
    return [sys.executable, "-c", textwrap.dedent(FETCHING), server.template, server.url + PATH, str(target)]


def test_what_a_killed_process_had_received_is_not_fetched_again(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF, stall=30))
    with subprocess.Popen(fetch_command(server, target)) as process:
        end = time.monotonic() + 10
        while not (target.exists() and target.stat().st_size == HALF):
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [None, f"bytes={HALF}-"]


# Disks that cannot be written


def test_a_file_that_may_not_grow_fails_with_advice_and_is_resumed_later(server: TripServer, target: Path) -> None:
    limit = (CHUNK, CHUNK)
    process = subprocess.run(
        fetch_command(server, target),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert f"StorageFull: {NAME}: {target} cannot be written: file too large" in process.stderr
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert sent(server, "range") == [None, f"bytes={CHUNK}-"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (f"size={HALF}", "no space left on device. Free space"),
        ("ro", "read-only file system. Free space"),
    ],
)
def test_a_full_or_read_only_disk_fails_with_advice(
    server: TripServer, tmp_path: Path, option: str, words: str
) -> None:
    mounted = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {option} none {tmp_path} && exec "$@"', "sh"]
    if subprocess.run([*mounted, "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    process = subprocess.run([*mounted, *fetch_command(server, tmp_path / NAME)], capture_output=True, text=True)
    assert f"StorageFull: {NAME}: " in process.stderr
    assert words in process.stderr


# Credentials


def test_credentials_are_sent_and_shown_nowhere(server: TripServer, target: Path) -> None:
    source = HttpSource(server.template.replace("//", "//ann:s%40cret@"), retries=ONCE)
    address = source.trips(GREEN, Month(2019, 3))
    server.script(PATH, Answer(cut_after=HALF), Answer(status=403))
    with pytest.raises(SourceUnreachable) as cut:
        source.fetch(address, target)
    with pytest.raises(AccessDenied) as denied:
        source.fetch(address, target)
    assert sent(server, "authorization") == ["Basic YW5uOnNAY3JldA=="] * 2
    for text in (address, str(cut.value), str(denied.value), sidecar_of(target).read_text()):
        assert "ann" not in text
        assert "cret" not in text


def test_credentials_are_not_sent_to_the_host_of_a_redirect(server: TripServer, target: Path) -> None:
    with TripServer() as other:
        server.script(PATH, Answer(status=302, headers={"Location": other.publish("/file", CONTENT)}))
        source = HttpSource(server.template.replace("//", "//ann:secret@"))
        source.fetch(server.url + PATH, target)
        assert sent(server, "authorization") != [None]
        assert sent(other, "authorization") == [None]

"""Downloads from a real server that fails in every way servers fail, and what is left on disk afterwards."""

import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from random import Random

import pytest

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished, SourceUnreachable, StorageFull, TaxiError
from taxi_platform.retries import ONCE, RetryPolicy
from taxi_platform.sources.http import CHUNK, HttpSource
from taxi_platform.sources.partial import sidecar_of
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.trip_server import LAST_MODIFIED, Answer, Published, TripServer

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
    """The message with which a fetch fails; it names the file and the address."""
    with pytest.raises(kind) as caught:
        fetch(server, target)
    assert str(caught.value).startswith(f"{NAME}: ")
    assert server.url + PATH in str(caught.value)
    return str(caught.value)


def leave_half(server: TripServer, target: Path) -> None:
    """Fail for good in the middle of a download, as a network that is gone for hours does."""
    server.script(PATH, Answer(cut_after=HALF), Answer(status=503))
    with pytest.raises(SourceUnreachable):
        quick(server, RetryPolicy(attempts=2, first_wait=0.01, longest_wait=0.01)).fetch(server.url + PATH, target)
    assert target.read_bytes() == CONTENT[:HALF]
    server.requests.clear()


def asked(server: TripServer, header: str) -> list[str | None]:
    return [request.headers.get(header) for request in server.requests]


# What arrives when nothing goes wrong


def test_a_file_arrives_byte_for_byte_and_nothing_lies_beside_it(server: TripServer, target: Path) -> None:
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [NAME]


def test_trip_addresses_are_where_the_server_has_them(server: TripServer) -> None:
    assert quick(server).trips(GREEN, Month(2019, 3)) == server.url + PATH


def test_the_server_is_asked_for_the_bytes_as_they_are(server: TripServer, target: Path) -> None:
    fetch(server, target)
    quick(server).version(server.url + PATH)
    assert asked(server, "accept-encoding") == ["identity", "identity"]


def test_a_gzip_file_that_the_server_calls_encoded_is_stored_as_it_is(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(headers={"Content-Encoding": "gzip"}))
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_csv_that_the_server_compresses_unasked_is_refused(server: TripServer, tmp_path: Path) -> None:
    address = server.publish("/misc/taxi_zone_lookup.csv", CONTENT)
    server.script("/misc/taxi_zone_lookup.csv", Answer(headers={"Content-Encoding": "gzip"}))
    with pytest.raises(DamagedFile, match="Content-Encoding: gzip"):
        quick(server).fetch(address, tmp_path / "zones.csv")


def test_a_file_of_unannounced_length_arrives(server: TripServer, target: Path) -> None:
    server.publish(PATH, Published(CONTENT, tells_length=False))
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT


def test_redirects_are_followed_to_the_file(server: TripServer, target: Path) -> None:
    elsewhere = server.publish("/storage/1234", Published(CONTENT, etag='"elsewhere"'))
    server.script(PATH, *[Answer(status=302, headers={"Location": elsewhere})] * 2)
    assert fetch(server, target).etag == '"elsewhere"'
    assert target.read_bytes() == CONTENT
    assert quick(server).version(server.url + PATH).bytes == len(CONTENT)


def test_a_redirected_download_is_resumed(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(status=302, headers={"Location": "/storage/1234"})] * 2)
    server.publish("/storage/1234", CONTENT)
    server.script("/storage/1234", Answer(cut_after=HALF))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range")[-1] == f"bytes={HALF}-"


def test_redirects_in_a_circle_are_named_and_not_tried_again(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(status=302, headers={"Location": PATH})] * 60)
    assert "redirects without end" in failure(server, target, SourceUnreachable)
    assert len(server.requests) == 31


def test_two_files_are_fetched_from_one_source_at_once(server: TripServer, tmp_path: Path) -> None:
    contents = {
        server.publish(f"/{letter}.csv.gz", letter.encode() * CHUNK): letter.encode() * CHUNK for letter in "ab"
    }
    source = quick(server)

    def bring(address: str) -> bytes:
        path = tmp_path / address.rpartition("/")[2]
        source.fetch(address, path)
        return path.read_bytes()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(bring, contents)) == list(contents.values())


def test_a_large_file_passes_through_little_memory(server: TripServer, target: Path) -> None:
    size = 64 * 1024 * 1024
    server.publish(PATH, bytes(size))
    fetch(server, target)  # what is imported and cached for good is none of the download's
    tracemalloc.start()
    try:
        fetch(server, target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert target.stat().st_size == size
    assert peak < 2 * 1024 * 1024


def test_a_long_download_tells_how_far_it_is(server: TripServer, target: Path, log_lines: list[str]) -> None:
    HttpSource(server.template, progress_every=0).fetch(server.url + PATH, target)
    assert len(log_lines) >= 4
    assert log_lines[-1].startswith(f"{NAME}: 0.3 of 0.3 MiB, ")
    assert log_lines[-1].endswith(" MiB/s")


def test_a_short_download_is_silent(server: TripServer, target: Path, log_lines: list[str]) -> None:
    quick(server).fetch(server.url + PATH, target)
    assert log_lines == []


# Answers that no patience changes


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, NotPublished, "404 Not Found"),
        (410, NotPublished, "410 Gone"),
        (401, AccessDenied, "401 Unauthorized"),
        (403, AccessDenied, "403 Forbidden"),
        (451, AccessDenied, "451 "),
        (204, DamagedFile, "204 No Content"),
    ],
)
def test_a_final_answer_is_named_and_not_asked_for_again(
    server: TripServer, target: Path, status: int, kind: type[TaxiError], words: str
) -> None:
    server.script(PATH, Answer(status=status))
    assert words in failure(server, target, kind)
    assert len(server.requests) == 1
    assert not target.exists()


def test_a_file_that_nobody_published_has_no_version(server: TripServer) -> None:
    with pytest.raises(NotPublished, match="404 Not Found"):
        quick(server).version(server.url + "/green/green_tripdata_2030-01.csv.gz")


def test_a_web_page_in_place_of_the_file_is_refused_and_not_stored(server: TripServer, target: Path) -> None:
    page = Published(b"\n<!DOCTYPE html><title>Sign in</title>")
    server.script(PATH, Answer(file=page, headers={"Content-Type": "text/html"}))
    assert "a web page (text/html)" in failure(server, target, DamagedFile)
    assert target.read_bytes() == b""
    assert len(server.requests) == 1


def test_a_file_that_the_server_merely_calls_a_web_page_is_stored(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(headers={"Content-Type": "text/html"}))
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_an_empty_file_is_refused(server: TripServer, target: Path) -> None:
    server.publish(PATH, b"")
    assert "is empty" in failure(server, target, DamagedFile)


# Answers that pass


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_waited_out(server: TripServer, target: Path, status: int, log_lines: list[str]) -> None:
    server.script(PATH, *[Answer(status=status)] * 2)
    quick(server).fetch(server.url + PATH, target)
    assert target.read_bytes() == CONTENT
    assert [line.partition(";")[0] for line in log_lines] == [
        f"{NAME}: the server answers {status} {HTTPStatus(status).phrase}"
    ] * 2
    assert log_lines[1].partition(";")[2].startswith(" attempt 3 of 3 in 0.0")


def test_a_trouble_that_stays_fails_with_its_cause_and_the_number_of_attempts(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(status=503)] * 9)
    message = failure(server, target, SourceUnreachable)
    assert "after 3 attempts: the server answers 503 Service Unavailable" in message
    assert len(server.requests) == 3


def test_a_version_is_asked_for_again_too(server: TripServer) -> None:
    server.script(PATH, Answer(status=503), Answer(reset=True))
    assert quick(server).version(server.url + PATH) == V1
    assert [request.method for request in server.requests] == ["HEAD"] * 3


@pytest.mark.parametrize("status", [403, 405, 501])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_knows_no_head_is_asked_for_one_byte(server: TripServer, status: int, ranges: bool) -> None:
    server.publish(PATH, Published(CONTENT, ranges=ranges))
    server.script(PATH, Answer(status=status))
    assert quick(server).version(server.url + PATH) == V1
    assert [request.method for request in server.requests] == ["HEAD", "GET"]
    assert asked(server, "range")[1] == "bytes=0-0"


def test_a_version_that_is_denied_to_get_as_well_is_denied(server: TripServer) -> None:
    server.script(PATH, *[Answer(status=403)] * 2)
    with pytest.raises(AccessDenied, match="403 Forbidden"):
        quick(server).version(server.url + PATH)


def test_retry_after_in_seconds_is_obeyed(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(status=429, headers={"Retry-After": "1"}))
    fetch(server, target)
    assert 1.0 <= server.requests[1].at - server.requests[0].at < 3


def test_retry_after_as_a_date_is_obeyed_by_the_servers_clock(server: TripServer, target: Path) -> None:
    an_hour_slow = time.time() - 3600
    date, until = formatdate(an_hour_slow, usegmt=True), formatdate(an_hour_slow + 1, usegmt=True)
    server.script(PATH, Answer(status=503, headers={"Date": date, "Retry-After": until}))
    fetch(server, target)
    assert 1.0 <= server.requests[1].at - server.requests[0].at < 3


def test_a_server_that_wants_to_be_left_alone_for_an_hour_is_left_alone(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(status=429, headers={"Retry-After": "3600"}))
    assert "429 Too Many Requests and asks to be left alone for 3,600 s" in failure(server, target, SourceUnreachable)
    assert len(server.requests) == 1


def test_a_silent_server_is_given_up(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(delay=5)] * 3)
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="after 3 attempts: timed out"):
        quick(server, read_timeout=0.2).fetch(server.url + PATH, target)
    assert time.monotonic() - began < 4
    assert len(server.requests) == 3


def test_a_server_that_falls_silent_in_the_middle_is_asked_for_the_rest(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF, stall=5))
    quick(server, read_timeout=0.5).fetch(server.url + PATH, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={HALF}-"]


def test_a_connection_that_is_reset_before_the_answer_is_made_again(
    server: TripServer, target: Path, log_lines: list[str]
) -> None:
    server.script(PATH, Answer(reset=True))
    quick(server).fetch(server.url + PATH, target)
    assert target.read_bytes() == CONTENT
    assert "the server reset the connection" in log_lines[0]


def test_a_connection_that_is_reset_half_way_is_resumed(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF, reset=True))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert (asked(server, "range")[1] or "").startswith("bytes=")


def test_a_server_that_is_not_there_is_named_with_its_port(server: TripServer, target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SourceUnreachable, match=f"after 3 attempts: connection refused.*{host}"):
            quick(server).fetch(f"http://{host}{PATH}", target)


def test_a_host_that_does_not_exist_is_named(server: TripServer, target: Path) -> None:
    with pytest.raises(SourceUnreachable, match=r"name cannot be resolved \(nowhere\.invalid\)"):
        quick(server).fetch(f"http://nowhere.invalid{PATH}", target)


# Downloads that break off


def test_a_download_cut_half_way_is_resumed_where_it_stopped(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF))
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={HALF}-"]
    assert asked(server, "if-range") == [None, '"v1"']


def test_a_download_that_is_cut_again_and_again_says_how_far_it_came(server: TripServer, target: Path) -> None:
    server.script(PATH, *[Answer(cut_after=1000)] * 3)
    assert f"cut off (127.0.0.1:{server.url[17:]}) after 3,000 of {len(CONTENT):,} bytes" in failure(
        server, target, SourceUnreachable
    )


def test_a_cut_download_from_a_server_without_range_begins_again(server: TripServer, target: Path) -> None:
    server.publish(PATH, Published(CONTENT, ranges=False))
    server.script(PATH, Answer(cut_after=HALF))
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT


def test_a_cut_download_in_chunks_is_not_taken_for_a_whole_one(server: TripServer, target: Path) -> None:
    server.publish(PATH, Published(CONTENT, tells_length=False))
    server.script(PATH, Answer(cut_after=HALF))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_body_shorter_than_its_announced_length_is_never_taken_for_whole(server: TripServer, target: Path) -> None:
    longer = {"Content-Length": str(len(CONTENT) + 1)}
    server.script(PATH, *[Answer(cut_after=len(CONTENT), headers=longer)] * 9)
    message = failure(server, target, SourceUnreachable)
    assert f"after {len(CONTENT):,} of {len(CONTENT) + 1:,} bytes" in message


def test_without_etag_the_date_guards_the_resumption(server: TripServer, target: Path) -> None:
    server.publish(PATH, Published(CONTENT, etag=None))
    server.script(PATH, Answer(cut_after=HALF))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "if-range") == [None, LAST_MODIFIED]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_a_file_that_nothing_identifies_is_never_resumed(server: TripServer, target: Path, etag: str | None) -> None:
    server.publish(PATH, Published(CONTENT, etag=etag, modified=None))
    server.script(PATH, Answer(cut_after=HALF))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, None]


@pytest.mark.parametrize("checks_if_range", [True, False])
def test_a_file_that_changed_since_the_cut_is_fetched_afresh(
    server: TripServer, target: Path, checks_if_range: bool
) -> None:
    corrected = Published(CORRECTED, etag='"v2"', checks_if_range=checks_if_range)
    server.script(PATH, Answer(cut_after=HALF), Answer(file=corrected))
    assert fetch(server, target) == SourceVersion('"v2"', LAST_MODIFIED, len(CORRECTED))
    assert target.read_bytes() == CORRECTED


def test_a_file_that_became_shorter_than_what_has_arrived_is_fetched_afresh(server: TripServer, target: Path) -> None:
    shorter = Published(CORRECTED[:1000], etag='"v2"', checks_if_range=False)  # 416 to the request for the rest
    server.script(PATH, Answer(cut_after=HALF), Answer(file=shorter))
    assert fetch(server, target).bytes == 1000
    assert target.read_bytes() == CORRECTED[:1000]


@pytest.mark.parametrize("wrong", ["bytes 0-999/{size}", "bytes {have}-{last}/{more}", "nonsense", None])
def test_a_part_that_is_not_the_one_asked_for_is_refused(server: TripServer, target: Path, wrong: str | None) -> None:
    size = len(CONTENT)
    told = wrong and wrong.format(have=HALF, last=size - 1, size=size, more=size + 1)
    server.script(PATH, Answer(cut_after=HALF), Answer(headers={"Content-Range": told}))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={HALF}-", None]


def test_a_rest_that_comes_in_portions_is_asked_for_until_it_is_whole(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF), Answer(part=1000))
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


def test_a_part_that_nobody_asked_for_is_no_file(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(status=206))
    assert "206 Partial Content" in failure(server, target, DamagedFile)


# What an earlier call left


def test_a_later_call_resumes_what_an_earlier_one_left(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [f"bytes={HALF}-"]
    assert not sidecar_of(target).exists()


def test_a_corrected_file_is_not_glued_to_what_an_earlier_call_left(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    server.publish(PATH, Published(CORRECTED, etag='"v2"', checks_if_range=False))
    fetch(server, target)
    assert target.read_bytes() == CORRECTED


def test_a_part_of_another_address_is_not_resumed(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    address = server.publish("/mirror/file.csv.gz", CORRECTED)
    quick(server).fetch(address, target)
    assert target.read_bytes() == CORRECTED
    assert asked(server, "range") == [None]


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"address": 1}', '{"etag": "\\"v1\\""}'])
def test_a_part_without_a_sound_note_is_not_resumed(server: TripServer, target: Path, note: str | None) -> None:
    target.write_bytes(CORRECTED[:HALF])
    if note is not None:
        sidecar_of(target).write_text(note)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None]


def test_a_part_longer_than_the_file_is_not_resumed(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    target.write_bytes(CONTENT + b"more")
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None]


def test_a_download_that_ended_just_before_it_was_noted_moves_nothing_again(server: TripServer, target: Path) -> None:
    leave_half(server, target)
    target.write_bytes(CONTENT)
    assert fetch(server, target) == V1
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [f"bytes={len(CONTENT)}-"]
    assert not sidecar_of(target).exists()


def test_a_partial_file_stays_when_the_file_is_no_longer_published_and_does_no_harm(
    server: TripServer, target: Path
) -> None:
    leave_half(server, target)
    server.script(PATH, Answer(status=404))
    failure(server, target, NotPublished)
    fetch(server, target)
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


def fetching(server: TripServer, target: Path) -> list[str]:
    """A command that fetches in a process of its own."""
    return [sys.executable, "-c", textwrap.dedent(FETCHING), server.template, server.url + PATH, str(target)]


def test_what_a_killed_process_had_received_is_not_fetched_again(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF, stall=30))
    with subprocess.Popen(fetching(server, target)) as process:
        wait_until(lambda: target.exists() and target.stat().st_size == HALF)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={HALF}-"]
    assert not sidecar_of(target).exists()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# Disks that cannot take it


def test_a_folder_that_is_missing_is_named(server: TripServer, tmp_path: Path) -> None:
    target = tmp_path / "missing" / NAME
    with pytest.raises(StorageFull, match=r"missing.*no such file or directory.*TAXI_DATA_DIR"):
        fetch(server, target)


def test_a_folder_that_is_a_file_is_named(server: TripServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFull, match="cannot be written: not a directory"):
        fetch(server, tmp_path / "file" / NAME)


def test_a_folder_that_may_not_be_written_is_named(server: TripServer, tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o555)
    with pytest.raises(StorageFull, match="cannot be written: permission denied"):
        fetch(server, tmp_path / NAME)


def test_a_file_that_may_not_grow_fails_with_advice_and_is_resumed_later(server: TripServer, target: Path) -> None:
    limit = (CHUNK, CHUNK)
    process = subprocess.run(
        fetching(server, target),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert f"StorageFull: {NAME}: {target} cannot be written: the file may not grow" in process.stderr
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert asked(server, "range") == [None, f"bytes={CHUNK}-"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (f"size={HALF}", "the disk is full. Free some space"),
        ("ro", "read-only file system. Check the folder"),
    ],
)
def test_a_disk_that_takes_no_more_fails_with_advice(
    server: TripServer, tmp_path: Path, option: str, words: str
) -> None:
    mounted = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {option} none {tmp_path} && exec "$@"', "sh"]
    if subprocess.run([*mounted, "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    process = subprocess.run([*mounted, *fetching(server, tmp_path / NAME)], capture_output=True, text=True)
    assert f"StorageFull: {NAME}: " in process.stderr
    assert words in process.stderr


# Credentials


def test_credentials_are_sent_and_shown_nowhere(server: TripServer, target: Path) -> None:
    template = server.template.replace("//", "//ann:s%40cret@")
    source = HttpSource(template, retries=ONCE)
    address = source.trips(GREEN, Month(2019, 3))
    server.script(PATH, Answer(cut_after=HALF), Answer(status=403))
    with pytest.raises(SourceUnreachable) as cut:
        source.fetch(address, target)
    with pytest.raises(AccessDenied) as denied:
        source.fetch(address, target)
    assert asked(server, "authorization") == ["Basic YW5uOnNAY3JldA=="] * 2
    for text in (address, str(cut.value), str(denied.value), sidecar_of(target).read_text()):
        assert "ann" not in text
        assert "cret" not in text


def test_credentials_are_not_sent_to_the_host_of_a_redirect(server: TripServer, target: Path) -> None:
    with TripServer() as other:
        server.script(PATH, Answer(status=302, headers={"Location": other.publish("/file", CONTENT)}))
        source = HttpSource(server.template.replace("//", "//ann:secret@"))
        source.fetch(server.url + PATH, target)
        assert asked(server, "authorization") != [None]
        assert asked(other, "authorization") == [None]


def test_credentials_of_an_address_are_not_noted_beside_the_file(server: TripServer, target: Path) -> None:
    server.script(PATH, Answer(cut_after=HALF))
    with pytest.raises(SourceUnreachable) as cut:
        quick(server, ONCE).fetch(server.url.replace("//", "//ann:secret@") + PATH, target)
    assert "secret" not in str(cut.value) + sidecar_of(target).read_text()

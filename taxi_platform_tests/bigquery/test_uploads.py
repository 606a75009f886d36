"""Uploads to the lake over HTTP with the official client: what is sent, what is not, and interrupted uploads."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from taxi_platform.bigquery import lake as upload
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import ATTEMPTS, Lake
from taxi_platform.errors import CloudNotReady, CloudRefused, CloudUnavailable, DamagedFile
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.records import PARSER
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.google_server import Answer, GoogleServer
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import MARCH, rows, text, zipped

BUCKET = "trips-123-lake"
NAME = "raw/green/green_tripdata_2019-03.csv.gz"
PLAIN = "raw/green/green_tripdata_2019-03.csv"
URI = f"gs://{BUCKET}/{NAME}"
SMALL, LARGE = "POST /upload/", "PUT /upload/"
PART = 256 * 1024


@pytest.fixture
def lake(google_cloud: Cloud) -> Lake:
    return Lake(google_cloud)


@pytest.fixture
def file(published: Published) -> TripFile:
    """Return a verified file of 50 trips, which is uploaded in one request."""
    published.publish(rows(GREEN, 50))
    return published.fetch()


@pytest.fixture
def parts(published: Published, monkeypatch: pytest.MonkeyPatch) -> TripFile:
    """Return a verified file that is uploaded in four parts."""
    monkeypatch.setattr(upload, "PART", PART)
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 0)
    published.publish(text(GREEN, rows(GREEN, 9000)))
    file = published.fetch()
    assert 3 * PART < file.bytes < 4 * PART
    return file


def content(google: GoogleServer, name: str = NAME) -> bytes:
    return google.objects[BUCKET, name].content


def corrected(published: Published, count: int = 51) -> TripFile:
    """Publish the same month with other trips, and return its verified file."""
    published.publish(rows(GREEN, count))
    return published.fetch()


# What is sent


def test_a_file_is_uploaded_byte_for_byte_with_its_facts(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    stored = lake.put(file)
    assert content(google) == file.path.read_bytes()
    there = google.objects[BUCKET, NAME].properties
    assert there["metadata"] == {
        "service": "green",
        "month": "2019-03",
        "source": file.source,
        "bytes": str(file.bytes),
        "csv-bytes": str(file.csv_bytes),
        "sha256": file.sha256,
        "crc32c": there["crc32c"],
        "rows": "50",
        "regular": "True",
        "parser": str(PARSER),
        "source-etag": file.version.etag,
    } | ({"source-modified": file.version.modified} if file.version.modified else {})
    assert there["contentType"] == "application/gzip"
    assert "contentEncoding" not in there
    assert (stored.is_new, stored.file.uri, stored.file.rows) == (True, URI, 50)
    assert (str(stored.file.object.generation), stored.file.object.crc32c) == (there["generation"], there["crc32c"])
    assert lake.find(GREEN, MARCH) == stored.file


def test_an_upload_sends_the_checksum_and_the_generation_that_it_replaces(
    google: GoogleServer, lake: Lake, file: TripFile, published: Published
) -> None:
    first = lake.put(file)
    lake.put(corrected(published))
    one, other = google.asked(SMALL)
    assert one.query["ifGenerationMatch"] == "0"
    assert other.query["ifGenerationMatch"] == str(first.file.object.generation)
    assert f'"crc32c": "{first.file.object.crc32c}"'.encode() in one.body


def test_a_large_file_is_sent_in_parts(google: GoogleServer, lake: Lake, parts: TripFile) -> None:
    lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert [len(asked.body) for asked in google.asked(LARGE)] == [PART, PART, PART, parts.bytes - 3 * PART]
    (began,) = google.asked(SMALL)
    assert began.query["ifGenerationMatch"] == "0"
    assert began.json["crc32c"] == google.objects[BUCKET, PLAIN].properties["crc32c"]
    assert google.objects[BUCKET, PLAIN].properties["contentType"] == "text/csv"


def test_a_file_that_is_there_already_is_not_sent_again(
    google: GoogleServer, lake: Lake, google_cloud: Cloud, file: TripFile
) -> None:
    first = lake.put(file)
    again = Lake(google_cloud).put(file)
    assert (again.is_new, again.file) == (False, first.file)
    assert len(google.asked(SMALL)) == 1


def test_a_file_that_is_there_already_is_sent_again_when_forced(
    google: GoogleServer, lake: Lake, file: TripFile
) -> None:
    first = lake.put(file)
    forced = lake.put(file, force=True)
    assert forced.is_new
    assert forced.file.object.generation > first.file.object.generation
    assert google.asked(SMALL)[1].query["ifGenerationMatch"] == str(first.file.object.generation)


@pytest.mark.parametrize("metadata", [None, {"sha256": "of something else"}])
def test_an_object_that_somebody_else_uploaded_is_replaced(
    metadata: object, google: GoogleServer, lake: Lake, file: TripFile
) -> None:
    google.put(BUCKET, NAME, file.path.read_bytes(), {"metadata": metadata})
    with pytest.raises(CloudNotReady, match="this is not what the platform has put there"):
        lake.find(GREEN, MARCH)
    assert lake.put(file).is_new
    assert lake.find(GREEN, MARCH).sha256 == file.sha256


def test_a_month_that_is_published_in_another_form_stays_one_object(
    google: GoogleServer, lake: Lake, file: TripFile, published: Published
) -> None:
    lake.put(file)
    published.publish(text(GREEN, rows(GREEN, 51)))
    plain = lake.put(published.fetch())
    assert list(google.objects) == [(BUCKET, PLAIN)]
    assert lake.find(GREEN, MARCH) == plain.file
    assert lake.put(file).file.name == "green_tripdata_2019-03.csv.gz"
    assert list(google.objects) == [(BUCKET, NAME)]


def test_objects_with_longer_names_are_left_alone(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    google.put(BUCKET, f"{PLAIN}.gz.bak", b"somebody's")
    with pytest.raises(CloudNotReady):
        lake.find(GREEN, MARCH)
    lake.put(file)
    assert content(google, f"{PLAIN}.gz.bak") == b"somebody's"


def test_the_message_says_how_to_upload_a_missing_month(google: GoogleServer, lake: Lake) -> None:
    with pytest.raises(CloudNotReady) as caught:
        lake.find(GREEN, MARCH)
    assert str(caught.value) == f"{URI}: the lake does not have it. Materialize gcs/green_tripdata for 2019-03 first."


# Files that changed


def test_a_raw_file_that_was_changed_on_disk_is_not_sent(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    file.path.write_bytes(zipped(b"something else"))
    with pytest.raises(DamagedFile, match="it is not the file that was verified: SHA-256"):
        lake.put(file)
    file.path.unlink()
    with pytest.raises(DamagedFile, match="the file is gone"):
        lake.put(file)
    assert google.requests == []


def test_bytes_that_change_during_the_upload_are_refused_by_the_server(
    google: GoogleServer, lake: Lake, file: TripFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxi_platform.bigquery.lake.crc32c_of", lambda _: "AAAAAA==")
    with pytest.raises(CloudRefused, match='Provided CRC32C "AAAAAA==" doesn\'t match'):
        lake.put(file)
    assert google.objects == {}


def test_an_object_that_arrived_damaged_is_removed(
    google: GoogleServer, lake: Lake, file: TripFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = google.put
    monkeypatch.setattr(google, "put", lambda bucket, name, data, about: put(bucket, name, data[:-1], about))
    with pytest.raises(CloudUnavailable, match="it arrived damaged"):
        lake.put(file)
    assert google.objects == {}
    (removed,) = google.asked("DELETE")
    assert removed.query["ifGenerationMatch"]


# Two writers


def test_another_writer_may_upload_the_same_file_first(
    google: GoogleServer, lake: Lake, google_cloud: Cloud, file: TripFile, logged: pytest.LogCaptureFixture
) -> None:
    google.script(SMALL, Answer(before=lambda: Lake(google_cloud).put(file)))
    stored = lake.put(file)
    assert stored.file == lake.find(GREEN, MARCH)
    assert [line.partition(": ")[2] for line in logged.messages[2:]] == [
        "another writer has put a version there; looking it up",
        "it is the very same file",
    ]
    assert len(google.asked(SMALL)) == 2


def test_another_writers_file_is_replaced_as_a_whole(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    google.script(SMALL, Answer(before=lambda: google.put(BUCKET, NAME, b"another's")))
    stored = lake.put(file)
    assert content(google) == file.path.read_bytes()
    assert lake.find(GREEN, MARCH) == stored.file
    late, good = google.asked(SMALL)
    assert int(late.query["ifGenerationMatch"]) == 0 < int(good.query["ifGenerationMatch"])


def test_another_upload_between_the_parts_is_noticed_at_the_last_part(
    google: GoogleServer, lake: Lake, parts: TripFile
) -> None:
    between = [Answer(), Answer(), Answer(before=lambda: google.put(BUCKET, PLAIN, b"another's"))]
    google.script(LARGE, *between)
    stored = lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert lake.find(GREEN, MARCH) == stored.file


def test_many_uploads_of_a_month_at_once_leave_one_whole_object(
    google: GoogleServer, google_cloud: Cloud, parts: TripFile
) -> None:
    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(lambda _: Lake(replace(google_cloud)).put(parts), range(4)))
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert len({one.file.object.generation for one in stored}) == 1


def test_an_upload_gives_up_after_several_other_writers(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    other = Answer(before=lambda: google.put(BUCKET, NAME, b"another's"))
    google.script(SMALL, *[other] * ATTEMPTS)
    with pytest.raises(CloudUnavailable, match="another writer came first") as caught:
        lake.put(file)
    assert caught.value.transient
    assert content(google) == b"another's"


# Interrupted uploads


@pytest.mark.parametrize("status", [408, 503])
def test_an_upload_is_retried_while_google_is_busy(
    status: int, google: GoogleServer, lake: Lake, file: TripFile, logged: pytest.LogCaptureFixture
) -> None:
    google.script(SMALL, Answer(status), Answer(status))
    lake.put(file)
    assert content(google) == file.path.read_bytes()
    assert logged.messages[1:] == [f"{URI}: Google answers {status}: made for this test; trying again"] * 2


def test_an_upload_gives_up_if_google_stays_busy(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    google.script(SMALL, *[Answer(503)] * 200)
    with pytest.raises(CloudUnavailable, match=r"^gs://.*: Google answers 503: made for this test\.") as caught:
        lake.put(file)
    assert caught.value.transient
    assert google.objects == {}


def test_an_upload_whose_acknowledgement_is_lost_is_found_and_not_sent_twice(
    google: GoogleServer, lake: Lake, file: TripFile
) -> None:
    google.script(SMALL, Answer(lost=True))
    stored = lake.put(file)
    assert stored.is_new
    assert content(google) == file.path.read_bytes()
    assert [asked.query["ifGenerationMatch"] for asked in google.asked(SMALL)] == ["0", "0"]


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(503), Answer(lost=True)], ids=["cut", "503", "lost"])
@pytest.mark.parametrize("part", [0, 3])
def test_a_part_that_is_lost_is_sent_again_and_those_before_are_not(
    part: int, fault: Answer, google: GoogleServer, lake: Lake, parts: TripFile
) -> None:
    google.script(LARGE, *[Answer()] * part, fault)
    lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    sent = [asked.headers["content-range"].partition("-")[0] for asked in google.asked(LARGE)]
    assert len(sent) == 5
    assert sent[part] == sent[part + 1]
    assert sorted({int(one.removeprefix("bytes ")) for one in sent}) == [0, PART, 2 * PART, 3 * PART]


def test_an_upload_starts_again_when_google_kept_less_than_was_sent(
    google: GoogleServer, lake: Lake, parts: TripFile
) -> None:
    google.script(LARGE, Answer(), Answer(kept=1000))
    lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert len(google.asked(SMALL)) == 2


@pytest.mark.parametrize("answer", [Answer(410), Answer(404), Answer(kept=0)], ids=["410", "404", "nothing kept"])
def test_an_upload_starts_again_when_google_has_lost_it(
    answer: Answer, google: GoogleServer, lake: Lake, parts: TripFile, logged: pytest.LogCaptureFixture
) -> None:
    google.script(LARGE, *([] if answer.kept == 0 else [Answer()]), answer)
    lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert any("Google lost the upload; looking it up" in line for line in logged.messages)


def test_an_upload_starts_again_when_its_session_is_gone(
    google: GoogleServer, lake: Lake, parts: TripFile, logged: pytest.LogCaptureFixture
) -> None:
    google.script(LARGE, Answer(), Answer(before=google.forget_uploads))
    lake.put(parts)
    assert content(google, PLAIN) == parts.path.read_bytes()
    assert any("Google lost the upload; looking it up" in line for line in logged.messages)


@pytest.mark.parametrize("kill_at", [0, 3], ids=lambda part: f"part {part}")
def test_a_process_that_is_killed_half_way_leaves_no_object_and_the_next_one_uploads_it(
    kill_at: int, google: GoogleServer, google_cloud: Cloud, parts: TripFile
) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", UPLOADING, google.url, str(parts.path), parts.sha256],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    google.script(LARGE, *[Answer()] * kill_at, Answer(before=lambda: (killed.kill(), killed.wait()), status=503))
    out, _ = killed.communicate(timeout=180)
    assert killed.returncode == -9, out
    assert len(google.asked(LARGE)) == kill_at + 1
    assert google.objects == {}
    assert Lake(google_cloud).put(parts).is_new
    assert content(google, PLAIN) == parts.path.read_bytes()


UPLOADING = f"""
import sys
from pathlib import Path
from google.cloud.storage import blob
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery import lake as upload
from taxi_platform.bigquery.lake import Lake
from taxi_platform.trips.files import FileFacts, SourceVersion, TripFile
from taxi_platform.trips.months import Month
blob._MAX_MULTIPART_SIZE, upload.PART = 0, {PART}
url, path, sha256 = sys.argv[1:]
size = Path(path).stat().st_size
file = TripFile(service="green", month=Month(2019, 3), source="-", uri=Path(path).as_uri(),
    version=SourceVersion(None, None, size), facts=FileFacts(size, size, sha256, 9000))
Lake(Cloud("trips-123", "EU", "{BUCKET}", "zoomcamp", storage_host=url)).put(file)
"""


# What is refused


def test_a_role_that_is_missing_is_named(google: GoogleServer, lake: Lake, file: TripFile) -> None:
    denial = (
        "robot does not have storage.objects.create access. Permission 'storage.objects.create' denied on resource."
    )
    google.script(SMALL, Answer(403, denial, "forbidden"))
    with pytest.raises(CloudRefused, match=r"granted roles/storage\.objectUser") as caught:
        lake.put(file)
    assert not caught.value.transient
    assert len(google.asked(SMALL)) == 1


def test_a_missing_bucket_is_named(nothing: GoogleServer, lake: Lake, file: TripFile) -> None:
    with pytest.raises(CloudNotReady, match="The specified bucket does not exist"):
        lake.put(file)


def test_memory_does_not_grow_with_the_file(google: GoogleServer, tmp_path: Path) -> None:
    small, large = (peak_of_an_upload(google, tmp_path, upload.PART * parts) for parts in (2, 4))
    assert large - small < upload.PART / 2


def peak_of_an_upload(google: GoogleServer, folder: Path, size: int) -> int:
    """Return the largest resident memory, in bytes, of a process that uploads a file of ``size`` bytes."""
    path, digest, block = folder / f"{size}.csv.gz", hashlib.sha256(), os.urandom(2**20)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
            digest.update(block)
    program = f"{UPLOADING}\nprint('peak', *[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    program = program.replace(str(PART), "upload.PART")
    done = subprocess.run(
        [sys.executable, "-c", program, google.url, str(path), digest.hexdigest()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.rpartition("peak ")[2]) * 1024

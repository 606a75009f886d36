"""The lake: one object of Cloud Storage per service and month, which is the verified file, byte for byte.

An object's metadata is the record of what it is. An object appears when its last byte has arrived and its checksum
matches: a killed upload leaves nothing. Each upload names the version that it replaces, so that the later of two
writers notices.
"""

import base64
import hashlib
import logging
import time
from collections.abc import Container, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import IO, Any, cast

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.errors import CloudNotReady, CloudUnavailable, FileChanged
from taxi_platform.trips.files import FileFacts, ObjectFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.keys import stored_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import read_chunks
from taxi_platform.trips.records import PARSER
from taxi_platform.trips.services import SERVICES, Service

logger = logging.getLogger(__name__)

STAGING = "staging/"  # objects that a load needs for a moment; the bucket's lifecycle removes them after a day
ATTEMPTS = 3  # how often an upload is started
PART = 32 * 1024 * 1024  # bytes sent at once and held in memory; Google acknowledges each part, so not too few
_CONTENT_TYPES = {".gz": "application/gzip", ".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
_HEADER_BYTES = 16 * 1024  # of the first request; even uncompressed, a header has 300
_READ_BYTES = 8 * 1024 * 1024  # of each further request
_CHECKSUM_BYTES = 1024 * 1024  # read at once


class NotInLake(CloudNotReady):
    """The lake does not have a month."""


def uri_of(bucket: str, name: str) -> str:
    """Return an object's address, as BigQuery and gcloud take it."""
    return f"gs://{bucket}/{name}"


def object_names(service: Service, month: Month) -> tuple[str, str, str]:
    """Return the names that a month's object may have: of a compressed CSV, of a plain one, and of Parquet."""
    plain = stored_name(service.name, service.file_name(month))
    return f"{plain}.gz", plain, f"{plain.removesuffix('.csv')}.parquet"


def object_metadata(file: TripFile, crc32c: str) -> dict[str, str]:
    """Return the metadata that an object carries: enough to make a ``TripFile`` of it, and to see that it is intact."""
    facts = file.facts
    known = {
        "service": file.service,
        "month": str(file.month),
        "source": file.source,
        "bytes": str(facts.bytes),
        "csv-bytes": str(facts.csv_bytes),
        "sha256": facts.sha256,
        "crc32c": crc32c,
        "rows": str(facts.rows),
        "regular": None if facts.regular is None else str(facts.regular),
        "parser": None if facts.regular is None else str(PARSER),
        "source-etag": file.version.etag,
        "source-modified": file.version.modified,
    }
    return {name: value for name, value in known.items() if value is not None}


def trip_file_of(bucket: str, blob: Any) -> TripFile:
    """Return the trip file that an object is.

    Raises:
        CloudNotReady: the object was not put there by the platform, or has been changed since.
    """
    known: Mapping[str, str] = blob.metadata or {}
    regular = known.get("regular") if known.get("parser") == str(PARSER) else None
    try:
        file = TripFile(
            service=known["service"],
            month=Month.parse(known["month"]),
            source=known["source"],
            uri=uri_of(bucket, blob.name),
            version=SourceVersion(known.get("source-etag"), known.get("source-modified"), int(known["bytes"])),
            facts=FileFacts(
                int(known["bytes"]),
                int(known["csv-bytes"]),
                known["sha256"],
                int(known["rows"]),
                None if regular is None else regular == "True",
            ),
            stored=ObjectFacts(bucket, blob.name, blob.generation, blob.crc32c, blob.storage_class),
        )
        recorded = known["crc32c"]
    except KeyError as absent:
        raise _foreign(bucket, blob, f"its metadata lacks {absent}") from None
    except ValueError as error:
        raise _foreign(bucket, blob, f"its metadata cannot be read ({error})") from None
    if (file.bytes, recorded) != (blob.size, blob.crc32c):
        actual = f"it has {blob.size:,} bytes with the CRC32C {blob.crc32c}"
        raise _foreign(bucket, blob, f"{actual} where its metadata says {file.bytes:,} and {recorded}")
    return file


def _foreign(bucket: str, blob: Any, what: str) -> CloudNotReady:
    what = f"this is not what the platform has put there: {what}"
    return CloudNotReady(uri_of(bucket, blob.name), what, "Materialize its gcs/… asset again.")


class Lake:
    """The objects of one bucket."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put(self, file: TripFile, *, force: bool = False) -> Transfer:
        """Upload a verified file, unless the lake holds it already or ``force`` is set.

        Raises:
            FileChanged: the file on disk is not the one that was verified.
        """
        started = time.monotonic()
        crc32c = crc32c_of(file)
        name = stored_name(file.service, file.name)
        existing = self._objects(SERVICES[file.service], file.month)
        blob = existing.pop(name, None)
        is_new = force or blob is None or not self._is_file(blob, file, crc32c)
        if is_new:
            blob = self._upload(file, name, crc32c, blob)
        for other in existing.values():
            self._remove(other)
        return Transfer(trip_file_of(self._cloud.bucket, blob), is_new, time.monotonic() - started)

    def find(self, service: Service, month: Month) -> TripFile:
        """Return the object that contains a month, with its present generation.

        Raises:
            NotInLake: the bucket does not contain the month.
            CloudNotReady: it was not put there by the platform.
        """
        objects = self._objects(service, month)
        if not objects:
            uri = uri_of(self._cloud.bucket, object_names(service, month)[0])
            raise NotInLake(uri, "the lake does not have it", f"Materialize gcs/{service.table} for {month} first.")
        return trip_file_of(self._cloud.bucket, max(objects.values(), key=lambda blob: blob.generation))

    def has(self, file: TripFile) -> bool:
        """Return whether the lake holds this very file."""
        try:
            return self.find(SERVICES[file.service], file.month).sha256 == file.sha256
        except CloudNotReady:
            return False

    def read(self, file: TripFile) -> Iterator[bytes]:
        """Yield the bytes of an object in the version that was found; the first piece is enough for the header.

        Raises:
            CloudNotReady: this version of the object is gone.
        """
        start = 0
        for size in chain([_HEADER_BYTES], repeat(_READ_BYTES)):
            piece = self._read_range(file, start, min(start + size, file.bytes)) if start < file.bytes else b""
            if not piece:
                return  # at the end, or shorter than recorded, which the reader's checksum shows
            yield piece
            start += len(piece)

    def confirm(self, file: TripFile) -> None:
        """Check that the object is still the version that was found.

        BigQuery reads whichever version exists when a load job starts, so this is asked after the job.

        Raises:
            CloudNotReady: the object was replaced or removed.
        """
        with google_errors(file.uri):
            blob = self._bucket(file.object.bucket).get_blob(file.object.name, **self._cloud.storage_options(file.uri))
        if blob is None or blob.generation != file.object.generation:
            what = "the object was removed during the load" if blob is None else "it was replaced during the load"
            raise _changed(file, what)

    @contextmanager
    def staged(self, content: IO[bytes], name: str) -> Generator[str]:
        """Upload a compressed file under ``staging/`` for the length of the block, and yield its address."""
        uri = uri_of(self._cloud.bucket, f"{STAGING}{name}")
        blob = self._bucket().blob(f"{STAGING}{name}")
        options = self._cloud.storage_options(uri)
        with google_errors(uri):
            blob.upload_from_file(content, rewind=True, content_type="application/gzip", **options)
        try:
            yield uri
        finally:
            self._remove(blob)

    def _bucket(self, name: str = "") -> Any:
        return self._cloud.storage.bucket(name or self._cloud.bucket)

    def _objects(self, service: Service, month: Month) -> dict[str, Any]:
        """Return the month's objects by name: none, one, or more if it was published in several forms."""
        names = object_names(service, month)
        subject = uri_of(self._cloud.bucket, names[0])
        storage, options = cast("Any", self._cloud.storage), self._cloud.storage_options(subject)
        with google_errors(subject):
            blobs = storage.list_blobs(self._cloud.bucket, prefix=names[1].removesuffix(".csv"), **options)
            return {blob.name: blob for blob in blobs if blob.name in names}

    def _read_range(self, file: TripFile, start: int, end: int) -> bytes:
        from google.api_core.exceptions import NotFound

        blob = self._bucket(file.object.bucket).blob(file.object.name, generation=file.object.generation)
        options = self._cloud.storage_options(file.uri)
        with google_errors(file.uri):
            try:
                # Google has no checksum for a part; the stream is verified as a whole.
                return blob.download_as_bytes(start=start, end=end - 1, raw_download=True, checksum=None, **options)
            except NotFound:
                raise _changed(file, "the object is gone, or another version has taken its place") from None

    def _is_file(self, blob: Any, file: TripFile, crc32c: str) -> bool:
        """Return whether an object is this very file, with everything that is known of it."""
        try:
            return blob.crc32c == crc32c and trip_file_of(self._cloud.bucket, blob).facts == file.facts
        except CloudNotReady:
            return False

    def _upload(self, file: TripFile, name: str, crc32c: str, replaced: Any) -> Any:
        """Upload the file to replace a version of the object, unless another writer has uploaded the same file."""
        uri = uri_of(self._cloud.bucket, name)
        for _ in range(ATTEMPTS):
            if done := self._try_upload(file, name, crc32c, replaced.generation if replaced else 0):
                return done
            replaced = self._objects(SERVICES[file.service], file.month).get(name)
            if replaced and self._is_file(replaced, file, crc32c):
                logger.info("%s: it is the very same file", uri)
                return replaced
        what = f"another writer came first, or Google lost the upload, {ATTEMPTS} times"
        raise CloudUnavailable(uri, what, "See which runs write this month, and run it again when they are done.")

    def _try_upload(self, file: TripFile, name: str, crc32c: str, replaces: int) -> Any:
        """Send the file and return the object; a part that is lost on the way is sent again.

        Return None when its current version has to be looked up first, because it is not the one to replace (perhaps it
        is this very file, whose acknowledgement was lost), or because Google has lost the upload.
        """
        from google.api_core.exceptions import GoogleAPICallError

        uri = uri_of(self._cloud.bucket, name)
        options = self._cloud.storage_options(uri)
        blob = self._bucket().blob(name, chunk_size=PART)
        blob.content_type = _CONTENT_TYPES[file.path.suffix]
        blob.metadata = object_metadata(file, crc32c)
        blob.crc32c = crc32c  # Google compares it with what arrives; the object never appears if they differ
        logger.info("%s: sending %s bytes", uri, f"{file.bytes:,}")
        with google_errors(uri):
            try:
                with file.path.open("rb") as content:
                    # No checksum of the client's: the object's own is known before the first byte.
                    only = {"size": file.bytes, "if_generation_match": replaces, "checksum": None}
                    blob.upload_from_file(content, **only, **options)
            except GoogleAPICallError as error:
                # 308 without a range: Google has kept nothing of a part, and the client cannot go back.
                if error.code not in (308, 404, 410, 412):
                    raise
                happened = "another writer has put a version there" if error.code == 412 else "Google lost the upload"
                logger.info("%s: %s; looking it up", uri, happened)
                return None
            except ValueError:
                # The client notices that Google has kept less of a part than was sent, and cannot go back.
                logger.info("%s: Google has kept only a part of the upload; starting again", uri)
                return None
            if blob.crc32c != crc32c:  # not every server compares it
                blob.delete(if_generation_match=blob.generation, **options)
                what = f"it arrived damaged, with the CRC32C {blob.crc32c} instead of {crc32c}"
                raise CloudUnavailable(uri, what, "Run it again.")
        return blob

    def _remove(self, blob: Any) -> None:
        """Remove this version of an object. An earlier request whose answer was lost may have removed it already."""
        from google.api_core.exceptions import NotFound

        uri = uri_of(self._cloud.bucket, blob.name)
        with google_errors(uri):
            try:
                blob.delete(if_generation_match=blob.generation, **self._cloud.storage_options(uri))
            except NotFound:
                logger.info("%s: removed already", uri)


@dataclass(frozen=True)
class LakeFiles:
    """The objects of some months of one service, as an asset hands them to the next; each is looked up when used."""

    lake: Lake
    service: Service
    months: Sequence[Month]  # in order
    refresh: Container[Month] = ()  # months whose raw file is looked up at its source, and uploaded if it is another
    force_load: bool = False  # even where they are loaded already


def crc32c_of(file: TripFile) -> str:
    """Return the CRC32C of a raw file in base64, as Cloud Storage writes it, and check its SHA-256 on the way.

    Raises:
        FileChanged: the file on disk is gone, or is not the one that was verified.
    """
    import google_crc32c

    crc32c = google_crc32c.Checksum()
    sha256 = hashlib.sha256()
    try:
        for chunk in read_chunks(file.path, _CHECKSUM_BYTES):
            crc32c.update(chunk)
            sha256.update(chunk)
    except FileNotFoundError:
        raise FileChanged(str(file.path), "the file is gone", "Materialize its raw asset again.") from None
    if sha256.hexdigest() != file.sha256:
        found = f"SHA-256 {sha256.hexdigest()} where {file.sha256} was expected"
        advice = "It was fetched again or edited meanwhile; materialize its raw asset again with force: true."
        raise FileChanged(str(file.path), f"it is not the file that was verified: {found}", advice)
    return base64.b64encode(crc32c.digest()).decode()


def _changed(file: TripFile, what: str) -> CloudNotReady:
    advice = f"Materialize gcs/{file.service}_tripdata for {file.month} again, then this one."
    return CloudNotReady(file.uri, what, advice)

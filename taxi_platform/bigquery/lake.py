"""The lake: one object of Cloud Storage per service and month, which is the verified file, byte for byte.

An object's metadata is the record of what it is; what Dagster remembers of an upload is only a claim about it. An
object appears when its last byte has arrived and its checksum matches: a killed upload leaves nothing. Each upload
names the version that it replaces, so that the later of two writers notices.
"""

import base64
import hashlib
import logging
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.errors import CloudNotReady, CloudUnavailable, FileChanged
from taxi_platform.trips.files import FileFacts, ObjectFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.keys import stored_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import is_compressed, read_chunks
from taxi_platform.trips.services import SERVICES, Service

logger = logging.getLogger(__name__)

STAGING = "staging/"  # objects that a load needs for a moment; the bucket's lifecycle removes them after a day
ATTEMPTS = 3  # how often an upload is started
PART = 32 * 1024 * 1024  # bytes sent at once and held in memory; Google acknowledges each part, so not too few
HEADER_BYTES = 16 * 1024  # even uncompressed, a header has 300
_READ_BYTES = 8 * 1024 * 1024  # of one request
_CHECKSUM_BYTES = 1024 * 1024  # read at once
_NOT_IN_LAKE = "its object in Cloud Storage is missing or a different one"


class StoredObject(Protocol):
    """The parts of the storage client's ``Blob`` that are read here."""

    name: str
    metadata: Mapping[str, str] | None
    generation: int
    crc32c: str
    size: int
    storage_class: str | None


def uri_of(bucket: str, name: str) -> str:
    """Return an object's address, as BigQuery and gcloud take it."""
    return f"gs://{bucket}/{name}"


def object_names(service: Service, month: Month) -> tuple[str, str]:
    """Return the two names that a month's object may have: for a file published compressed, and for a plain one."""
    plain = stored_name(service.name, service.file_name(month))
    return f"{plain}.gz", plain


def object_name(file: TripFile) -> str:
    """Return the name of the object for a raw file, e.g. ``raw/green/green_tripdata_2019-03.csv.gz``."""
    return stored_name(file.service, file.name)


def object_metadata(file: TripFile, crc32c: str) -> dict[str, str]:
    """Return the metadata that an object carries: enough to make a ``TripFile`` of it, and to see that it is intact."""
    known = {
        "service": file.service,
        "month": str(file.month),
        "source": file.source,
        "bytes": str(file.bytes),
        "csv-bytes": str(file.csv_bytes),
        "sha256": file.sha256,
        "crc32c": crc32c,
        "rows": str(file.rows),
        "source-etag": file.version.etag,
        "source-modified": file.version.modified,
    }
    return {name: value for name, value in known.items() if value is not None}


def file_of(bucket: str, stored: StoredObject) -> TripFile:
    """Return the trip file that an object is.

    Raises:
        CloudNotReady: the object was not put there by the platform, or has been changed since.
    """
    metadata = stored.metadata or {}
    try:
        file = TripFile(
            service=metadata["service"],
            month=Month.parse(metadata["month"]),
            source=metadata["source"],
            uri=uri_of(bucket, stored.name),
            version=SourceVersion(metadata.get("source-etag"), metadata.get("source-modified"), int(metadata["bytes"])),
            facts=FileFacts(
                int(metadata["bytes"]), int(metadata["csv-bytes"]), metadata["sha256"], int(metadata["rows"])
            ),
            stored=ObjectFacts(bucket, stored.name, stored.generation, stored.crc32c, stored.storage_class),
        )
        recorded = metadata["crc32c"]
    except KeyError as absent:
        raise _foreign(bucket, stored, f"its metadata lacks {absent}") from None
    except ValueError as error:
        raise _foreign(bucket, stored, f"its metadata cannot be read ({error})") from None
    if (file.bytes, recorded) != (stored.size, stored.crc32c):
        actual = f"it has {stored.size:,} bytes with the CRC32C {stored.crc32c}"
        raise _foreign(bucket, stored, f"{actual} where its metadata says {file.bytes:,} and {recorded}")
    return file


def _foreign(bucket: str, stored: StoredObject, what: str) -> CloudNotReady:
    return CloudNotReady(
        uri_of(bucket, stored.name),
        f"this is not what the platform has put there: {what}",
        "Materialize its gcs/… asset again.",
    )


class Lake:
    """The objects of one bucket.

    Args:
        cloud: the project and its bucket.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put(self, file: TripFile, *, force: bool = False) -> Transfer:
        """Upload a verified file, unless the lake holds it already.

        Args:
            file: the file on disk; its bytes are compared with what was verified.
            force: upload it even when the lake holds it already.

        Raises:
            FileChanged: the file on disk is not the one that was verified.
            CloudNotReady: there is no such bucket.
            CloudRefused: Google does not take it; the lake is unchanged.
            CloudUnavailable: Google does not answer; the lake is unchanged.
        """
        started = time.monotonic()
        crc32c = crc32c_of(file)
        name = object_name(file)
        existing = self._objects(SERVICES[file.service], file.month)
        blob = existing.get(name)
        unchanged = not force and blob is not None and self._holds(blob, file, crc32c)
        if blob is None or not unchanged:
            blob = self._upload(file, name, crc32c, blob)
        for other in existing.values():
            if other.name != name:
                self._remove(other)
        return Transfer(file_of(self._cloud.bucket, blob), not unchanged, time.monotonic() - started)

    def find(self, service: Service, month: Month) -> TripFile:
        """Return the object that holds a month, as it is now.

        Raises:
            CloudNotReady: there is none, or it was not put there by the platform.
            CloudRefused: the account may not look.
            CloudUnavailable: Google does not answer.
        """
        objects = self._objects(service, month)
        if not objects:
            raise CloudNotReady(
                uri_of(self._cloud.bucket, object_names(service, month)[0]),
                "the lake does not have it",
                f"Materialize gcs/{service.table} for {month} first.",
            )
        return file_of(self._cloud.bucket, max(objects.values(), key=lambda blob: blob.generation))

    def why_not_in(self, file: TripFile) -> str | None:
        """Return why the lake does not hold this very file; None when it does.

        Raises:
            CloudRefused: the account may not look.
            CloudUnavailable: Google does not answer.
        """
        try:
            stored = self.find(SERVICES[file.service], file.month)
        except CloudNotReady:
            return _NOT_IN_LAKE
        return None if stored.sha256 == file.sha256 else _NOT_IN_LAKE

    def read(self, file: TripFile, first: int = _READ_BYTES) -> Iterator[bytes]:
        """Yield all bytes of an object, in the version that was found.

        Args:
            file: the object.
            first: the size of the first piece; small for who may only need the header.

        Raises:
            CloudNotReady: this version of the object is gone.
            CloudRefused: the account may not read it.
            CloudUnavailable: Google does not answer.
        """
        start, size = 0, first
        while start < file.bytes:
            piece = self._read_range(file, start, min(start + size, file.bytes))
            if not piece:
                return  # shorter than recorded; the reader's checksum shows it
            yield piece
            start, size = start + len(piece), _READ_BYTES

    def ends_with_a_line(self, file: TripFile) -> bool:
        """Return whether the last byte of an uncompressed object is a line end.

        Raises:
            CloudNotReady: this version of the object is gone.
            CloudRefused: the account may not read it.
            CloudUnavailable: Google does not answer.
        """
        return self._read_range(file, file.bytes - 1, file.bytes) == b"\n"

    def confirm(self, file: TripFile) -> None:
        """Check that the object is still the version that was found.

        BigQuery reads whichever version exists when a load job starts, so this is asked after the job.

        Raises:
            CloudNotReady: the object was replaced or removed.
            CloudRefused: the account may not look.
            CloudUnavailable: Google does not answer.
        """
        with google_errors(file.uri):
            blob = self._bucket(file.object.bucket).get_blob(file.object.name, **self._cloud.storage_options(file.uri))
        if blob is None or blob.generation != file.object.generation:
            raise CloudNotReady(
                file.uri,
                "the object was removed during the load" if blob is None else "it was replaced during the load",
                f"Materialize gcs/{file.service}_tripdata for {file.month} again, then this one.",
            )

    @contextmanager
    def staged(self, content: IO[bytes], name: str) -> Generator[str]:
        """Upload a compressed file under ``staging/`` for the length of the block, and yield its address.

        Raises:
            CloudNotReady: there is no such bucket.
            CloudRefused: Google does not take it.
            CloudUnavailable: Google does not answer.
        """
        name = f"{STAGING}{name}"
        uri = uri_of(self._cloud.bucket, name)
        options = self._cloud.storage_options(uri)
        blob = self._bucket().blob(name)
        with google_errors(uri):
            blob.upload_from_file(content, rewind=True, content_type="application/gzip", **options)
        try:
            yield uri
        finally:
            with google_errors(uri):
                blob.delete(**options)

    def _bucket(self, name: str = "") -> Any:
        return self._cloud.storage.bucket(name or self._cloud.bucket)

    def _objects(self, service: Service, month: Month) -> dict[str, StoredObject]:
        """Return the month's objects by name: one, none, or two if it was published both compressed and plain."""
        names = object_names(service, month)
        subject = uri_of(self._cloud.bucket, names[0])
        with google_errors(subject):
            blobs = cast("Any", self._cloud.storage).list_blobs(
                self._cloud.bucket, prefix=names[1], **self._cloud.storage_options(subject)
            )
            return {blob.name: blob for blob in cast("Iterable[StoredObject]", blobs) if blob.name in names}

    def _read_range(self, file: TripFile, start: int, end: int) -> bytes:
        from google.api_core.exceptions import NotFound

        blob = self._bucket(file.object.bucket).blob(file.object.name, generation=file.object.generation)
        with google_errors(file.uri):
            try:
                return blob.download_as_bytes(
                    start=start,
                    end=end - 1,
                    raw_download=True,
                    checksum=None,  # Google has none for a part; the stream is verified as a whole
                    **self._cloud.storage_options(file.uri),
                )
            except NotFound:
                raise CloudNotReady(
                    file.uri,
                    "the object is gone, or another version has taken its place",
                    f"Materialize gcs/{file.service}_tripdata for {file.month} again.",
                ) from None

    def _holds(self, stored: StoredObject, file: TripFile, crc32c: str) -> bool:
        """Return whether an object is this very file, metadata included."""
        try:
            known = file_of(self._cloud.bucket, stored)
        except CloudNotReady:
            return False
        return (known.sha256, stored.crc32c, known.rows) == (file.sha256, crc32c, file.rows)

    def _upload(self, file: TripFile, name: str, crc32c: str, replaced: StoredObject | None) -> StoredObject:
        """Upload the file in place of a version of the object, unless another writer has uploaded the same file."""
        uri = uri_of(self._cloud.bucket, name)
        for _ in range(ATTEMPTS):
            if done := self._try_upload(file, name, crc32c, replaces=replaced.generation if replaced else 0):
                return done
            replaced = self._objects(SERVICES[file.service], file.month).get(name)
            if replaced and self._holds(replaced, file, crc32c):
                logger.info("%s: it is the very same file", uri)
                return replaced
        raise CloudUnavailable(
            uri,
            f"another writer came first, or Google lost the upload, {ATTEMPTS} times",
            "See which runs write this month, and run it again when they are done.",
        )

    def _try_upload(self, file: TripFile, name: str, crc32c: str, *, replaces: int) -> StoredObject | None:
        """Send the file; a part that is lost on the way is sent again.

        Args:
            file: the file.
            name: the object's.
            crc32c: of the file, in base64.
            replaces: the generation that the object must have; 0 when it must not exist.

        Returns:
            the object; None when its current version has to be looked up first: another version has appeared, perhaps
            this very file, whose acknowledgement was lost; or Google does not know the upload any more.
        """
        from google.api_core.exceptions import GoogleAPICallError

        uri = uri_of(self._cloud.bucket, name)
        blob = self._bucket().blob(name, chunk_size=PART)
        blob.content_type = "application/gzip" if is_compressed(file.path) else "text/csv"
        blob.metadata = object_metadata(file, crc32c)
        blob.crc32c = crc32c  # Google compares it with what arrives; the object never appears if they differ
        logger.info("%s: sending %s bytes", uri, f"{file.bytes:,}")
        with google_errors(uri):
            try:
                with file.path.open("rb") as content:
                    blob.upload_from_file(
                        content,
                        size=file.bytes,
                        if_generation_match=replaces,
                        checksum=None,  # the object's own is known before the first byte
                        **self._cloud.storage_options(uri),
                    )
            except GoogleAPICallError as error:
                if error.code not in (410, 412):
                    raise
                happened = "another writer has put a version there" if error.code == 412 else "Google lost the upload"
                logger.info("%s: %s; looking it up", uri, happened)
                return None
            except ValueError:
                # The client notices that Google has kept less of a part than was sent, and cannot go back by itself.
                logger.info("%s: Google has kept only a part of the upload; starting again", uri)
                return None
            if blob.crc32c != crc32c:  # not every server compares it
                blob.delete(if_generation_match=blob.generation, **self._cloud.storage_options(uri))
                raise CloudUnavailable(
                    uri, f"it arrived damaged, with the CRC32C {blob.crc32c} instead of {crc32c}", "Run it again."
                )
        return cast("StoredObject", blob)

    def _remove(self, other: StoredObject) -> None:
        """Remove the month's other object, from when the month was published in the other form."""
        uri = uri_of(self._cloud.bucket, other.name)
        logger.info("%s: the month has another name now; removing this one", uri)
        with google_errors(uri):
            self._bucket().delete_blob(
                other.name, if_generation_match=other.generation, **self._cloud.storage_options(uri)
            )


@dataclass(frozen=True)
class LakeFiles:
    """The objects of some months of one service, as an asset hands them to the next.

    Attributes:
        lake: where they are.
        service: whose trips they hold.
        months: which months, in order.
        force_load: whether to load them even where they are loaded already.
    """

    lake: Lake
    service: Service
    months: Sequence[Month]
    force_load: bool = False

    def find(self, month: Month) -> TripFile:
        """Return one month's object, as it is now; nothing is looked up before.

        Raises:
            CloudNotReady: there is none, or it was not put there by the platform.
            CloudRefused: the account may not look.
            CloudUnavailable: Google does not answer.
        """
        return self.lake.find(self.service, month)


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
        raise FileChanged(
            str(file.path),
            f"it is not the file that was verified: SHA-256 {sha256.hexdigest()} where {file.sha256} was expected",
            "It was fetched again or edited meanwhile; materialize its raw asset again with force: true.",
        )
    return base64.b64encode(crc32c.digest()).decode()

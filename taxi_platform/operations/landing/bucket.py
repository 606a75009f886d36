"""The landing place that a prefix of a bucket in Cloud Storage is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.clients import google_retry
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.errors import CloudNotReady, DamagedFile, InvalidSetting, NotPublished, disk_errors
from taxi_platform.operations.landing.names import numbered
from taxi_platform.operations.landing.place import Dropped, Where
from taxi_platform.retries import METADATA_OF_GOOGLE
from taxi_platform.trips.files import SourceVersion

if TYPE_CHECKING:
    from google.cloud import storage

TIMEOUTS = (5.0, 10.0)  # seconds for a connection and of silence; Dagster ends a tick after 60 seconds


class LandingBucket:
    """A prefix under which people and programs put objects, each of which appears whole or not at all.

    A version is an object's generation, so that what is copied, moved or removed is what was looked at.

    Args:
        client: the client for Cloud Storage.
        uri: ``gs://bucket`` or ``gs://bucket/prefix``.

    Raises:
        InvalidSetting: the URI names no bucket.
    """

    def __init__(self, client: "storage.Client", uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        if not bucket:
            raise InvalidSetting(f"TAXI_LANDING={uri}", "it names no bucket", "Write gs://bucket/prefix.")
        prefix = prefix.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._uri = f"gs://{bucket}/{self._prefix}"
        # The client's stubs leave most of it open.
        self._client = cast("Any", client)
        self._bucket = self._client.bucket(bucket)
        self._patience: dict[str, Any] = {
            "timeout": TIMEOUTS,
            "retry": google_retry(METADATA_OF_GOOGLE, self._uri),
        }

    def address(self, name: str) -> str:
        """The object's URI."""
        return self._uri + name

    def look(self) -> list[Dropped]:
        """The objects directly under the prefix; the one that was written first comes first."""
        with google_errors(self._uri):
            blobs = list(
                self._client.list_blobs(
                    self._bucket, prefix=self._prefix, delimiter="/", **self._patience, fields=_FIELDS
                )
            )
        named = [(blob.updated, blob.name.removeprefix(self._prefix), str(blob.generation)) for blob in blobs]
        # Consoles mark a folder by an empty object that is called like it.
        return [Dropped(name, generation, is_complete=True) for _, name, generation in sorted(named) if name]

    def fetch(self, name: str, version: str, target: Path) -> SourceVersion:
        """Download one generation of an object to ``target``, its checksum compared by the client."""
        blob = self._bucket.blob(self._prefix + name)
        try:
            with google_errors(self.address(name)), disk_errors(target):
                blob.reload()
                found = SourceVersion(str(blob.generation), blob.updated and blob.updated.isoformat(), blob.size)
                if found.etag == version:
                    # As it is stored: the client would inflate an object that is marked as gzip-encoded.
                    blob.download_to_filename(str(target), raw_download=True, if_generation_match=blob.generation)
        except CloudNotReady as error:
            raise NotPublished(name, f"{self.address(name)} is not there any more", "Drop it again.") from error
        if found.etag != version:
            what = f"{self.address(name)} has changed since it was looked at"
            raise DamagedFile(name, what, "It is looked at again.")
        return found

    def move(self, dropped: Dropped, where: Where, reason: str | None = None) -> str:
        """Copy one generation of an object into one of the rooms and remove it, as ``LandingPlace`` promises."""
        room = f"{self._prefix}{where}/"
        blob = self._bucket.blob(self._prefix + dropped.name)
        generation = int(dropped.version)
        with google_errors(self.address(dropped.name)):
            number, name = 1, dropped.name
            while (there := self._bucket.get_blob(room + name, **self._patience)) is not None:
                if there.metadata and there.metadata.get(_FROM) == dropped.version:  # copied by a look that was killed
                    break
                number += 1
                name = numbered(dropped.name, number)
            if reason is not None:
                self._bucket.blob(f"{room}{name}.reason.txt").upload_from_string(reason, **self._patience)
            if there is None:
                copy = self._bucket.copy_blob(
                    blob, self._bucket, room + name, if_source_generation_match=generation, **self._patience
                )
                copy.metadata = {_FROM: dropped.version}
                copy.patch(**self._patience)
            blob.delete(if_generation_match=generation, **self._patience)
        return name


_FIELDS = "items(name,generation,updated),prefixes,nextPageToken"
_FROM = "taxi-generation"

"""The lake's objects: putting a verified file there, and finding it. Knows nothing of Dagster.

An object appears when its last byte has arrived and its checksum fits, and not before: a killed upload leaves nothing.
Each upload says which version it replaces, so that of two writers one is told that it was late.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake_checksums import crc32c_of
from taxi_platform.bigquery.lake_file import StoredObject, lake_file, object_name, object_names, uri_of
from taxi_platform.bigquery.lake_upload import Upload
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.errors import CloudNotReady, CloudUnavailable
from taxi_platform.trips.files import Transfer, TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

Log = Callable[[str], None]
ROUNDS = 3  # how often an upload is begun


class Lake:
    """The objects of one bucket.

    Args:
        cloud: the project and its bucket.
        patience: how long Google is asked again.
    """

    def __init__(self, cloud: Cloud, patience: Patience = PATIENT) -> None:
        self._cloud = cloud
        self._patience = patience

    def put(self, file: TripFile, log: Log, *, force: bool = False) -> Transfer:
        """Have the lake hold a verified file, uploading it unless it does already.

        Args:
            file: the file; its bytes are checked against what was verified.
            log: where progress is told.
            force: upload it even when the lake holds it already.

        Raises:
            DamagedFile: the file on disk is not the one that was verified.
            CloudNotReady: there is no such bucket.
            CloudRefused, CloudUnavailable: Google does not take it; the lake is as it was.
        """
        started = time.monotonic()
        crc32c = crc32c_of(file)
        name = object_name(file)
        there = self._objects(SERVICES[file.service], file.month, log)
        blob = there.get(name)
        unchanged = not force and blob is not None and self._holds(blob, file, crc32c)
        if blob is None or not unchanged:
            blob = self._upload(file, name, crc32c, blob, log)
        for other in there.values():
            if other.name != name:
                self._remove(other, log)
        return Transfer(lake_file(self._cloud.bucket, blob), not unchanged, time.monotonic() - started)

    def find(self, service: Service, month: Month, log: Log) -> TripFile:
        """The object that holds a month, as it is now.

        Raises:
            CloudNotReady: there is none, or none that the platform has put there.
            CloudRefused, CloudUnavailable: Google does not say.
        """
        there = self._objects(service, month, log)
        if not there:
            raise CloudNotReady(
                uri_of(self._cloud.bucket, object_names(service, month)[0]),
                "the lake does not have it",
                f"Materialize gcs/{service.table} for {month} first.",
            )
        return lake_file(self._cloud.bucket, max(there.values(), key=lambda blob: blob.generation))

    def _objects(self, service: Service, month: Month, log: Log) -> dict[str, StoredObject]:
        """The month's objects by name: one, none, or two when it was published once compressed and once plain."""
        names = object_names(service, month)
        subject = uri_of(self._cloud.bucket, names[0])
        with asking(subject):
            found = cast("Any", self._cloud.storage).list_blobs(
                self._cloud.bucket,
                prefix=names[1],
                retry=self._patience.retry(subject, log),
                timeout=self._patience.timeouts,
            )
            return {blob.name: blob for blob in cast("Iterable[StoredObject]", found) if blob.name in names}

    def _upload(self, file: TripFile, name: str, crc32c: str, replaced: StoredObject | None, log: Log) -> StoredObject:
        """Upload the file in place of a version of the object, unless another writer has brought the same meanwhile."""
        upload = Upload(self._cloud, file, name, crc32c, self._patience)
        for _ in range(ROUNDS):
            if done := upload.attempt(replaced.generation if replaced else 0, log):
                return done
            replaced = self._objects(SERVICES[file.service], file.month, log).get(name)
            if replaced and self._holds(replaced, file, crc32c):
                log(f"{upload.uri}: it is the very same file")
                return replaced
        raise CloudUnavailable(
            upload.uri,
            f"another writer came first, or Google lost the upload, {ROUNDS} times",
            "See which runs write this month, and run it again when they are done.",
        )

    def _holds(self, there: StoredObject, file: TripFile, crc32c: str) -> bool:
        """Whether an object is this very file and says so."""
        try:
            known = lake_file(self._cloud.bucket, there)
        except CloudNotReady:
            return False
        return (known.sha256, known.object.crc32c, known.rows) == (file.sha256, crc32c, file.rows)

    def _remove(self, other: StoredObject, log: Log) -> None:
        """Remove what the month was called before, when it was published in the other form."""
        uri = uri_of(self._cloud.bucket, other.name)
        log(f"{uri}: the month lies elsewhere now; removing this one")
        with asking(uri):
            cast("Any", self._cloud.storage.bucket(self._cloud.bucket)).delete_blob(
                other.name,
                if_generation_match=other.generation,
                retry=self._patience.retry(uri, log),
                timeout=self._patience.timeouts,
            )

"""One upload of one file: resumable, checked before the object appears, and only in place of the version seen."""

from collections.abc import Callable
from typing import Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake_file import StoredObject, provenance, uri_of
from taxi_platform.bigquery.patience import Patience
from taxi_platform.errors import CloudUnavailable
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.reading import is_compressed

Log = Callable[[str], None]
CHUNK = 32 * 1024 * 1024  # bytes sent at once and held in memory: a pause for every acknowledgement, so not too few


class Upload:
    """The upload of a verified file to an object.

    Args:
        cloud: the project and its bucket.
        file: the file.
        name: the object's.
        crc32c: of the file, in base64.
        patience: how long Google is asked again.

    Attributes:
        uri: the object's address.
    """

    def __init__(self, cloud: Cloud, file: TripFile, name: str, crc32c: str, patience: Patience) -> None:
        self.uri = uri_of(cloud.bucket, name)
        self._cloud = cloud
        self._file = file
        self._name = name
        self._crc32c = crc32c
        self._patience = patience

    def attempt(self, replaces: int, log: Log) -> StoredObject | None:
        """Send the file; a part that is lost on the way is sent again.

        Args:
            replaces: the generation that the object must have; 0 when there must be none.
            log: where progress is told.

        Returns:
            the object; none when it has to be looked at anew: another version is there meanwhile, perhaps this very
            file, whose acknowledgement was lost; or Google does not know the upload any more.

        Raises:
            CloudNotReady, CloudRefused, CloudUnavailable: Google does not take it.
        """
        from google.api_core.exceptions import GoogleAPICallError

        blob = self._blob()
        log(f"{self.uri}: sending {self._file.bytes:,} bytes")
        with asking(self.uri):
            try:
                with self._file.path.open("rb") as content:
                    blob.upload_from_file(
                        content,
                        size=self._file.bytes,
                        if_generation_match=replaces,
                        checksum=None,  # the object's own says it already, and is known before the first byte
                        retry=self._patience.retry(self.uri, log),
                        timeout=self._patience.timeouts,
                    )
            except GoogleAPICallError as error:
                if error.code == 412:
                    log(f"{self.uri}: another writer has put a version there meanwhile; looking which")
                    return None
                if error.code == 410:
                    log(f"{self.uri}: Google has forgotten the beginning of the upload; beginning anew")
                    return None
                raise
            except ValueError:
                # The client sees that Google has kept less of a part than was sent, and cannot go back by itself.
                log(f"{self.uri}: Google has not kept all of the upload; beginning anew")
                return None
        self._refuse_damage(blob, log)
        return cast("StoredObject", blob)

    def _blob(self) -> Any:
        blob: Any = self._cloud.storage.bucket(self._cloud.bucket).blob(self._name, chunk_size=CHUNK)
        blob.content_type = "application/gzip" if is_compressed(self._file.path) else "text/csv"
        blob.metadata = provenance(self._file, self._crc32c)
        # The server compares it with what arrives, and the object never appears if they differ.
        blob.crc32c = self._crc32c
        return blob

    def _refuse_damage(self, blob: Any, log: Log) -> None:
        """Not every server compares; what is there is compared once more."""
        if blob.crc32c == self._crc32c:
            return
        with asking(self.uri):
            blob.delete(if_generation_match=blob.generation, retry=self._patience.retry(self.uri, log))
        raise CloudUnavailable(
            self.uri, f"it arrived damaged, with the CRC32C {blob.crc32c} in place of {self._crc32c}", "Run it again."
        )

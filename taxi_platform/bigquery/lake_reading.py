"""Reading an object of the lake: its beginning, its end, or all of it in pieces; always the version that was found."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.errors import CloudNotReady
from taxi_platform.trips.files import TripFile

Log = Callable[[str], None]
BEGINNING = 16 * 1024  # bytes; even uncompressed, a header has 300
PIECE = 8 * 1024 * 1024  # bytes of one request


class LakeReader:
    """The bytes of one object.

    Args:
        cloud: the project and its bucket.
        file: the object.
        log: where retries are told.
        patience: how long Google is asked again.
    """

    def __init__(self, cloud: Cloud, file: TripFile, log: Log, patience: Patience = PATIENT) -> None:
        self._cloud = cloud
        self._file = file
        self._log = log
        self._patience = patience

    def chunks(self, first: int = PIECE) -> Iterator[bytes]:
        """All bytes, in pieces, of which the first may be a smaller one.

        Raises:
            CloudNotReady: this version of the object is gone.
            CloudRefused, CloudUnavailable: Google does not hand it out.
        """
        start, size = 0, first
        while start < self._file.bytes:
            piece = self._range(start, min(start + size, self._file.bytes))
            if not piece:
                return  # it is shorter than it should be, which whoever counts its bytes finds out
            yield piece
            start, size = start + len(piece), PIECE

    def ends_with_a_line(self) -> bool:
        """Whether the last byte of an uncompressed object is a line end.

        Raises:
            as ``chunks`` does.
        """
        return self._range(self._file.bytes - 1, self._file.bytes) == b"\n"

    def _range(self, start: int, end: int) -> bytes:
        from google.api_core.exceptions import NotFound

        file, facts = self._file, self._file.object
        blob = cast("Any", self._cloud.storage.bucket(facts.bucket)).blob(facts.name, generation=facts.generation)
        with asking(file.uri):
            try:
                return blob.download_as_bytes(
                    start=start,
                    end=end - 1,
                    raw_download=True,
                    checksum=None,  # of a part there is none; the stream is checked as a whole
                    retry=self._patience.retry(file.uri, self._log),
                    timeout=self._patience.timeouts,
                )
            except NotFound:
                raise CloudNotReady(
                    file.uri,
                    "the object is gone, or another version has taken its place",
                    f"Materialize gcs/{file.service}_tripdata for {file.month} again.",
                ) from None

"""A trip file as an object of the lake: its name, and what the object itself says of it. Pure.

The object's own metadata is the record: whatever Dagster remembers of an upload is a claim about it.
"""

from collections.abc import Mapping
from typing import Protocol

from taxi_platform.errors import CloudNotReady
from taxi_platform.trips.files import FileFacts, ObjectFacts, SourceVersion, TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

PREFIX = "raw/"
STAGING = "staging/"  # what a load may put beside the lake; the bucket's lifecycle removes it after a day


def uri_of(bucket: str, name: str) -> str:
    """An object's address, as BigQuery and gcloud take it."""
    return f"gs://{bucket}/{name}"


def object_names(service: Service, month: Month) -> tuple[str, str]:
    """The two names that a month's object may have: of a file that was published compressed, and of a plain one."""
    plain = f"{PREFIX}{service.name}/{service.file_name(month)}"
    return f"{plain}.gz", plain


def object_name(file: TripFile) -> str:
    """The name of the object that a raw file becomes, e.g. ``raw/green/green_tripdata_2019-03.csv.gz``."""
    return f"{PREFIX}{file.service}/{file.name}"


def provenance(file: TripFile, crc32c: str) -> dict[str, str]:
    """What the object says of itself: enough to make a ``TripFile`` of it, and to see whether it still is one."""
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


class StoredObject(Protocol):
    """What is read of an object, as the storage client's ``Blob`` has it."""

    name: str
    metadata: Mapping[str, str] | None
    generation: int
    crc32c: str
    size: int
    storage_class: str | None


def lake_file(bucket: str, there: StoredObject) -> TripFile:
    """The trip file that an object is.

    Raises:
        CloudNotReady: the object does not say what it is, or is not what it says; somebody else has put it there.
    """
    said = there.metadata or {}
    try:
        file = TripFile(
            service=said["service"],
            month=Month.parse(said["month"]),
            source=said["source"],
            uri=uri_of(bucket, there.name),
            version=SourceVersion(said.get("source-etag"), said.get("source-modified"), int(said["bytes"])),
            facts=FileFacts(int(said["bytes"]), int(said["csv-bytes"]), said["sha256"], int(said["rows"])),
            stored=ObjectFacts(bucket, there.name, there.generation, there.crc32c, there.storage_class),
        )
        recorded = said["crc32c"]
    except KeyError as absent:
        raise _foreign(bucket, there, f"its metadata lacks {absent}") from None
    except ValueError as error:
        raise _foreign(bucket, there, f"its metadata means nothing ({error})") from None
    if (file.bytes, recorded) != (there.size, there.crc32c):
        is_so = f"it has {there.size:,} bytes with the CRC32C {there.crc32c}"
        raise _foreign(bucket, there, f"{is_so} where its metadata says {file.bytes:,} and {recorded}")
    return file


def _foreign(bucket: str, there: StoredObject, what: str) -> CloudNotReady:
    return CloudNotReady(
        uri_of(bucket, there.name),
        f"this is not what the platform has put there: {what}",
        "Materialize its gcs/… asset again.",
    )

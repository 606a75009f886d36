"""What Dagster's UI shows of an object of the lake."""

from typing import Any

import dagster as dg

from taxi_platform.bigquery.lake_file import LakeFile
from taxi_platform.bigquery.lake_store import Stored
from taxi_platform.ledger.raw_metadata import file_metadata


def console_url(file: LakeFile, project: str) -> str:
    """The object's page in Google's console."""
    return f"https://console.cloud.google.com/storage/browser/_details/{file.bucket}/{file.object}?project={project}"


def lake_metadata(stored: Stored, project: str) -> dict[str, Any]:
    """The metadata of one month's materialization in the lake."""
    file = stored.file
    return {
        **file_metadata(file),
        "dagster/uri": file.uri,
        "console": dg.MetadataValue.url(console_url(file, project)),
        "generation": str(file.generation),  # a number of microseconds, larger than the UI can count
        "crc32c": file.crc32c,
        **({"storage_class": file.storage_class} if file.storage_class else {}),
        "unchanged": stored.unchanged,
        "seconds": round(stored.seconds, 3),
        "dagster/partition_row_count": file.rows,
    }

"""The warehouse's tables, derived from the contracts: names, columns, partitions. Pure; the SQL is in ``statements``.

A service's table is partitioned by ``file_month``, for a row belongs to its file's month wherever its pickup lies, so
that whoever replaces a month touches one partition. Within it, rows are sorted by pickup.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.postgres import tables as postgres
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.headers import Header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

PARTITION = "file_month"
VERSION = "file_version"
ROW_ID = "unique_row_id"


@dataclass(frozen=True)
class Field:
    """One column of a table in BigQuery, its type spelled as the API spells it."""

    name: str
    kind: str
    description: str = ""
    required: bool = False

    def as_api(self) -> Mapping[str, str]:
        """As the REST API takes it."""
        mode = "REQUIRED" if self.required else "NULLABLE"
        return {"name": self.name, "type": self.kind, "mode": mode, "description": self.description}


def dataset_of(cloud: Cloud) -> str:
    """The dataset with its project, e.g. ``trips-123456.zoomcamp``."""
    return f"{cloud.project}.{cloud.dataset}"


def table_of(cloud: Cloud, service: Service) -> str:
    """The service's table, e.g. ``trips-123456.zoomcamp.green_tripdata``."""
    return f"{dataset_of(cloud)}.{service.table}"


def rejects_of(cloud: Cloud, service: Service) -> str:
    """The table of the service's bad rows, e.g. ``trips-123456.zoomcamp.green_tripdata_rejects``."""
    return f"{table_of(cloud, service)}_rejects"


def staging_of(table: str, month: Month, attempt: str) -> str:
    """The table that one attempt to load a month into a table fills first; nobody else's has its name."""
    return f"{table}_{month.year:04d}_{month.month:02d}_staging_{attempt}"


def trip_fields(service: Service) -> list[Field]:
    """The columns of a service's table: the course's, and what says which file and version a row came from."""
    meanings = postgres.column_comments(service)
    return [
        Field(ROW_ID, "STRING", meanings["unique_row_id"], required=True),
        Field("filename", "STRING", meanings["filename"], required=True),
        *(Field(column.name, column.bigquery, column.documentation) for column in service.columns),
        Field(PARTITION, "DATE", "The first day of the file's month, by which the table is partitioned.", True),
        Field(VERSION, "INTEGER", "Which version of the file, read by which contract, the row was made from.", True),
    ]


def reject_fields() -> list[Field]:
    """The columns of the tables of bad rows."""
    return [
        Field("filename", "STRING", postgres.FILENAME, required=True),
        Field("line", "INTEGER", "The number of its line in the uncompressed file; the header is line 1.", True),
        Field("text", "STRING", "The line as it stands in the file.", required=True),
        Field("reason", "STRING", "Why it is no trip.", required=True),
        Field(PARTITION, "DATE", "The first day of the file's month, by which the table is partitioned.", True),
        Field(VERSION, "INTEGER", "Which version of the file, read by which contract, the row was made from.", True),
    ]


def clustering(service: Service) -> Sequence[str]:
    """The columns by which the rows of a month are sorted: what most questions filter by."""
    return [service.pickup, *(name for name in service.identity if name == "pulocationid")]


def staged_fields(header: Header, *, prepared: bool = False) -> list[Field]:
    """The columns of a staging table: texts in the order of the file, behind the row's id if that is made already."""
    names = [column.name for column in header.columns]
    return [Field(name, "STRING") for name in ([ROW_ID, *names] if prepared else names)]


def staged_reject_fields() -> list[Field]:
    """The columns of the staging tables of bad rows."""
    return [field for field in reject_fields() if field.name in ("line", "text", "reason")]


def fingerprint(service: Service) -> str:
    """A short hash of all that decides which values a row has; a changed contract is a reason to load again."""
    text = repr([(column.name, column.bigquery, column.is_code) for column in service.columns])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version_of(service: Service, file: TripFile) -> int:
    """The number that marks a row of this very file under this contract: 64 bits of a SHA-256."""
    digest = hashlib.sha256(f"{file.sha256} {fingerprint(service)}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def first_day(month: Month) -> str:
    """The value of a month's partition, as ISO writes it."""
    return f"{month}-01"

"""What Dagster's UI shows of a raw file."""

from typing import Any

import dagster as dg

from taxi_platform.trips.files import Fetched
from taxi_platform.trips.reading import TripFile
from taxi_platform.trips.services import Service

MIB = 1024 * 1024


def file_metadata(file: TripFile) -> dict[str, Any]:
    """The facts of a file that every asset made from it repeats: where from, how large, how many rows."""
    return {
        "source": dg.MetadataValue.url(file.source) if "://" in file.source else file.source,
        "file": file.name,
        "rows_in_file": file.rows,
        "file_bytes": file.bytes,
        "file_mib": round(file.bytes / MIB, 1),
        "csv_bytes": file.csv_bytes,
        "csv_mib": round(file.csv_bytes / MIB, 1),
        "sha256": file.sha256,
    }


def file_schema(service: Service) -> dg.TableSchema:
    """The columns of a service's files, by the names of the published header and the types that they are read as."""
    return dg.TableSchema(
        [dg.TableColumn(one.source, one.postgres, description=one.documentation) for one in service.columns]
    )


def raw_metadata(fetched: Fetched) -> dict[str, Any]:
    """The metadata of a raw file's materialization."""
    file = fetched.file
    provenance = {"etag": file.etag, "modified": file.modified}
    return {
        **file_metadata(file),
        **{name: value for name, value in provenance.items() if value is not None},
        "path": dg.MetadataValue.path(file.path),
        **({"landed": True} if file.landed else {}),
        "unchanged": not fetched.is_new,
        "seconds": round(fetched.seconds, 3),
        "dagster/partition_row_count": file.rows,
    }

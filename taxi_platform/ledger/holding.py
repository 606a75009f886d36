"""Whether the tables hold a file, asked by who wants to remove it. How it gets there does not belong here."""

from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, in_our_words
from taxi_platform.postgres.locking import try_lock, unlock
from taxi_platform.trips.reading import TripFile
from taxi_platform.trips.services import SERVICES

NOT_LOADED = "its table in PostgreSQL does not hold it"
BEING_LOADED = "its month is being loaded into PostgreSQL"


def why_not_held(url: str, file: TripFile) -> str | None:
    """Why a service's table does not hold this very file, in a partition that is in place and untouched.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    service = SERVICES[file.service]
    subject = service.file_name(file.month)
    partition = tables.partition_of(service, file.month)
    with connect(url) as connection, in_our_words(subject):
        names = (tables.FILES, tables.table_of(service))
        if execute(connection, tables.TABLES_EXIST, names).fetchone() != (True,):
            return NOT_LOADED
        if not try_lock(connection, partition):
            return BEING_LOADED
        parameters = (subject, file.sha256, tables.fingerprint(service))
        held = execute(connection, tables.find_month(service, file.month), parameters).fetchone()
        unlock(connection, partition)
    return None if held else NOT_LOADED

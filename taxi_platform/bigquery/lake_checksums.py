"""The checksums by which a file is followed into the lake, made in one pass over its bytes."""

import base64
import hashlib

from taxi_platform.errors import DamagedFile
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.reading import read_chunks

CHUNK = 1024 * 1024


def crc32c_of(file: TripFile) -> str:
    """The CRC32C of a raw file in base64, as Cloud Storage writes it, once its bytes are those that were verified.

    Raises:
        DamagedFile: the file on disk is gone, or is another one than was verified.
    """
    import google_crc32c

    crc32c = google_crc32c.Checksum()
    sha256 = hashlib.sha256()
    try:
        for chunk in read_chunks(file.path, CHUNK):
            crc32c.update(chunk)
            sha256.update(chunk)
    except FileNotFoundError:
        raise DamagedFile(str(file.path), "the file is gone", "Materialize its raw asset again.") from None
    if sha256.hexdigest() != file.sha256:
        raise DamagedFile(
            str(file.path),
            f"it is not the file that was verified: SHA-256 {sha256.hexdigest()} where {file.sha256} was expected",
            "Something changed it on disk; materialize its raw asset again with force: true.",
        )
    return base64.b64encode(crc32c.digest()).decode()

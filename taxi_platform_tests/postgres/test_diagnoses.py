"""What the words of a failed connection mean, and whether that passes by itself."""

import pytest

from taxi_platform.postgres.connection import server_of
from taxi_platform.postgres.errors import diagnose

URL = "postgresql://ann:pa55word@db:5432/trips"


@pytest.mark.parametrize(
    ("said", "means", "passes"),
    [
        ("FATAL:  the database system is starting up", "it is still starting", True),
        ("FATAL:  the database system is not yet accepting connections", "it is still starting", True),
        ("FATAL:  the database system is in recovery mode", "it recovers from a crash", True),
        ("FATAL:  the database system is shutting down", "it is shutting down", True),
        ('connection to server at "db", port 5432 failed: Connection refused', "nothing listens on the port", True),
        ("could not translate host name to address", "the host name is unknown (DNS)", True),
        ("FATAL:  sorry, too many clients already", "it has no connection left", True),
        ('FATAL:  password authentication failed for user "ann"', "authentication failed", False),
        ('FATAL:  role "ann" does not exist', "authentication failed: there is no such user", False),
        ('FATAL:  database "trips" does not exist', "there is no such database", False),
        ("something new", "no connection", True),
    ],
)
def test_a_failed_connection_is_diagnosed(said: str, means: str, passes: bool) -> None:
    error = diagnose(server_of(URL), said)
    assert error.what.startswith(f"{means} (")
    assert error.transient is passes
    assert "pa55word" not in str(error)

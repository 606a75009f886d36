"""The services of docker-compose.yml, each with its own command and environment, doing their work together."""

import psycopg
import pytest

from taxi_platform_tests.support.stack import PASSWORDS, Stack
from taxi_platform_tests.support.web_ui import refuses_other_sites

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename }
} } } }"""
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


def test_the_web_server_shows_the_code_location_and_a_healthy_daemon(stack: Stack) -> None:
    (location,) = stack.graphql(LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert (location["name"], location["loadStatus"]) == ("taxi_platform", "LOADED")
    assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}
    daemons = stack.graphql(DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    required = [daemon for daemon in daemons if daemon["required"]]
    assert len(required) >= 5
    assert all(daemon["healthy"] for daemon in required)
    assert refuses_other_sites(stack.url(3000) + "/")


@pytest.mark.parametrize(("account", "other"), [("taxi", "dagster"), ("dagster", "ny_taxi")])
def test_an_account_owns_its_database_and_cannot_enter_the_other(stack: Stack, account: str, other: str) -> None:
    password = PASSWORDS["TAXI_DB_PASSWORD" if account == "taxi" else "DAGSTER_DB_PASSWORD"]
    place = f"127.0.0.1:{stack.port(5432)}"
    own = {"taxi": "ny_taxi", "dagster": "dagster"}[account]
    with psycopg.connect(f"postgresql://{account}:{password}@{place}/{own}") as connection:
        query = (
            "select rolsuper from pg_database join pg_roles on datdba = pg_roles.oid where datname = current_database()"
        )
        assert connection.execute(query).fetchone() == (False,)
        connection.execute("create table of_its_own ()")
        connection.rollback()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(f"postgresql://{account}:{password}@{place}/{other}")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{account}:wrong@{place}/{own}")

"""The connection settings that the platform passes to dbt."""

import psycopg

from taxi_platform.models.targets import open_postgres


def test_sessions_of_dbt_have_the_platforms_settings(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"alter database {owner.info.dbname} set extra_float_digits = -5".encode())
        owner.execute(f"alter database {owner.info.dbname} set standard_conforming_strings = off".encode())
    with open_postgres(database, prepared=False) as target:
        options = target.variables["PGOPTIONS"]
    with psycopg.connect(database, options=options) as session:
        settings = "current_setting('extra_float_digits'), current_setting('standard_conforming_strings')"
        assert session.execute(f"select {settings}".encode()).fetchone() == ("1", "on")


def test_dbt_gets_the_authentication_options_of_the_url(database: str) -> None:
    address = database.partition("?")[0] + "?require_auth=scram-sha-256"
    with open_postgres(address, prepared=False) as target:
        assert target.variables["PGREQUIREAUTH"] == "scram-sha-256"

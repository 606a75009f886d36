"""The settings: their defaults, what a value means, and the error for an invalid one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from pydantic import SecretStr

from taxi_platform import settings as module
from taxi_platform.errors import InvalidSetting
from taxi_platform.settings import PROJECT, RELEASE, CloudSettings, Settings, invalid_settings, secrets, settings

Set = Callable[[str, str], Settings]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a project folder without ``.env``, in an environment without settings; restore both afterwards."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("TAXI_", "GCP_", "STORAGE_", "BIGQUERY_"))]:
            del os.environ[name]
        monkeypatch.setattr(module, "PROJECT", tmp_path)
        settings.cache_clear()
        yield tmp_path
    settings.cache_clear()


def with_setting(name: str, value: str) -> Settings:
    os.environ[name] = value
    return settings()


def variable(field: str) -> str:
    """Return the environment variable of one of Google Cloud's settings."""
    return str(CloudSettings.model_fields[field].validation_alias or f"GCP_{field.upper()}")


def test_the_project_folder_contains_its_configuration() -> None:
    assert (PROJECT / "pyproject.toml").is_file()


def test_without_settings_the_courses_release_is_loaded_into_an_embedded_server(project: Path) -> None:
    found = settings()
    assert found.source == RELEASE
    assert found.source == (
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/{service}/{service}_tripdata_{month}.csv.gz"
    )
    assert found.data_dir == PROJECT / ".taxi"
    assert found.postgres_url is None
    assert (found.first_month, found.last_month) == (None, None)
    assert found.on_bad_rows == "fail"
    assert found.schedule_timezone == "UTC"


@pytest.mark.parametrize(
    ("name", "value", "field", "meant"),
    [
        ("TAXI_DATA_DIR", "/srv/taxi", "data_dir", Path("/srv/taxi")),
        ("TAXI_POSTGRES_URL", "postgresql://h/db", "postgres_url", SecretStr("postgresql://h/db")),
        ("TAXI_LAST_MONTH", "2022-12", "last_month", "2022-12"),
        ("TAXI_MAX_BAD_ROWS", "0.1", "max_bad_rows", 0.1),
        ("TAXI_SCHEDULE_TIMEZONE", "America/New_York", "schedule_timezone", "America/New_York"),
        ("TAXI_ALERT_URLS", "json://h/ xml://h/", "alert_urls", SecretStr("json://h/ xml://h/")),
        ("TAXI_WEB_URL", "https://h/dagster/", "web_url", "https://h/dagster"),
    ],
)
def test_a_setting_has_the_value_of_its_variable(name: str, value: str, field: str, meant: object) -> None:
    assert getattr(with_setting(name, value), field) == meant


@pytest.mark.parametrize("field", Settings.model_fields)
def test_an_empty_variable_counts_as_unset(field: str) -> None:
    default = getattr(settings(), field)
    settings.cache_clear()
    assert getattr(with_setting(f"TAXI_{field.upper()}", ""), field) == default


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_explained_in_the_example(field: str) -> None:
    name = Settings.model_fields[field].validation_alias or f"TAXI_{field.upper()}"
    assert f"# {name}=" in (PROJECT / ".env.example").read_text()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TAXI_FIRST_MONTH", "2019-13", "'2019-13' is not a month"),
        (
            "TAXI_LAST_MONTH",
            "July 2021",
            "is not a month from 1970-01 to 2999-12: write YYYY-MM, e.g. 2019-03",
        ),
        ("TAXI_LAST_MONTH", "9999-12", "from 1970-01 to 2999-12"),
        ("TAXI_ON_BAD_ROWS", "ignore", "'fail' or 'quarantine'"),
        ("TAXI_MAX_BAD_ROWS", "5", "less than or equal to 1"),
        ("TAXI_MAX_BAD_ROWS", "nan", "less than or equal to 1"),
        ("TAXI_WEB_URL", "dagster.example.com", "write http://host:port"),
        ("TAXI_WEB_URL", "http://h/?a=b", "write http://host:port"),
        ("TAXI_ALLOWED_HOSTS", "a.b,http://h:3000", "'http://h:3000' is not a host name"),
        ("TAXI_SCHEDULE_TIMEZONE", "New York", "write an IANA name, e.g. America/New_York"),
        ("TAXI_SCHEDULE_TIMEZONE", "America", "there is no such time zone"),
        ("TAXI_SCHEDULE_TIMEZONE", "../etc/passwd", "there is no such time zone"),
        ("TAXI_DATA_DIR", "~nobody-at-all/taxi", "home directory"),
        ("TAXI_KEEP_RUNS_DAYS", "1000000", "less than or equal to 36500"),
        ("GCP_MAX_GIB_BILLED", "lots", "valid number"),
        ("GCP_MAX_GIB_BILLED", "inf", "less than or equal to 1000000"),
        ("GCP_REQUIRE_PARTITION_FILTER", "maybe", "valid boolean"),
    ],
)
def test_an_invalid_value_is_refused_with_its_name_and_the_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        with_setting(name, value)
    message = str(caught.value)
    assert message.startswith(f"{name}={value}: ")
    assert reason in message
    assert message.endswith("See .env.example for what it may be.")


def test_an_invalid_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidSetting, match=r"^TAXI_ALERT_URLS: .*address 2 of 2 is not a URL") as caught:
        with_setting("TAXI_ALERT_URLS", "json://h/ slack://")
    assert "json" not in str(caught.value)
    settings.cache_clear()
    with pytest.raises(InvalidSetting, match=r"^TAXI_ALERT_URLS: ") as caught:
        with_setting("TAXI_ALERT_URLS", "secret-token")
    assert "secret-token" not in str(caught.value)


def test_all_invalid_settings_can_be_listed_at_once() -> None:
    invalid = {"TAXI_FIRST_MONTH": "2019-13", "TAXI_ON_BAD_ROWS": "ignore", "GCP_MAX_GIB_BILLED": "0"}
    os.environ |= invalid
    assert [error.subject for error in invalid_settings()] == [f"{name}={value}" for name, value in invalid.items()]
    os.environ |= dict.fromkeys(invalid, "")
    assert invalid_settings() == []


def test_the_secrets_of_the_settings_are_known_for_redaction() -> None:
    os.environ |= {"TAXI_SOURCE": "https://u:one@h/{service}{month}.csv", "GCP_CREDS": "two"}
    os.environ["TAXI_ALERT_URLS"] = "json://u:three@h/ json://u:five@h/"
    os.environ["TAXI_POSTGRES_URL"] = "postgresql://u:four@h/d"
    os.environ |= {"GEMINI_API_KEY": "six", "TAXI_DOCKER_HUB_URL": "https://u:seven@h"}
    known = set(secrets())
    assert {"one", "two", "three", "four", "five", "postgresql://u:four@h/d", "six", "seven"} <= known


def test_a_relative_data_dir_starts_at_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert with_setting("TAXI_DATA_DIR", "../data/taxi").data_dir == project.parent / "data" / "taxi"


def test_a_data_dir_may_begin_at_home() -> None:
    os.environ["HOME"] = "/nowhere/somebody"
    assert with_setting("TAXI_DATA_DIR", "~/taxi").data_dir == Path("/nowhere/somebody/taxi")


def test_the_password_of_the_database_is_not_shown() -> None:
    found = with_setting("TAXI_POSTGRES_URL", "postgresql://u:secret@h/db")
    assert "secret" not in repr(found)


def test_a_cloud_is_complete_with_its_four_settings() -> None:
    os.environ.update(GCP_PROJECT_ID="trips-1", GCP_LOCATION="EU", GCP_BUCKET_NAME="trips-1-lake")
    found = with_setting("GCP_DATASET", "trips").cloud
    assert found is not None
    assert found.is_complete


@pytest.mark.parametrize("field", ["project_id", "location", "bucket_name", "dataset", "creds"])
def test_a_partly_configured_cloud_does_not_matter_without_its_assets(field: str) -> None:
    found = with_setting(variable(field), "anything").cloud
    assert found is not None
    assert not found.is_complete


@pytest.mark.parametrize("field", ["storage_host", "bigquery_host"])
def test_an_emulator_alone_is_not_a_cloud(field: str) -> None:
    assert with_setting(variable(field), "http://127.0.0.1:9023").cloud is None


@pytest.mark.parametrize("field", CloudSettings.model_fields)
def test_every_setting_of_the_cloud_may_be_empty_and_is_explained(field: str) -> None:
    assert with_setting(variable(field), "").cloud is None
    assert f"# {variable(field)}=" in (PROJECT / ".env.example").read_text()


def test_the_key_of_the_cloud_is_not_shown_and_its_settings_do_not_change() -> None:
    found = with_setting("GCP_CREDS", "topsecret").cloud
    assert found is not None
    assert "topsecret" not in repr(found) + repr(settings())
    with pytest.raises(ValueError, match="frozen"):
        found.dataset = "other"


def test_the_file_beside_the_project_is_read_and_the_environment_wins(project: Path) -> None:
    (project / ".env").write_text("TAXI_SOURCE=sample\n# a comment\nTAXI_ON_BAD_ROWS=quarantine\nOTHER=1\n")
    found = with_setting("TAXI_SOURCE", "sample:0.5")
    assert (found.source, found.on_bad_rows) == ("sample:0.5", "quarantine")


def test_the_values_of_the_file_are_in_the_environment_too(project: Path) -> None:
    (project / ".env").write_text("TAXI_POSTGRES_URL=postgresql://h/db\n")
    assert settings().postgres_url is not None
    assert os.environ["TAXI_POSTGRES_URL"] == "postgresql://h/db"


def test_an_error_in_the_file_is_reported_like_one_in_the_environment(project: Path) -> None:
    (project / ".env").write_text("TAXI_LAST_MONTH=soon\n")
    with pytest.raises(InvalidSetting, match=r"^TAXI_LAST_MONTH=soon: "):
        settings()


def test_settings_are_read_once_and_do_not_change() -> None:
    first = settings()
    assert with_setting("TAXI_SOURCE", "sample") is first
    with pytest.raises(ValueError, match="frozen"):
        first.source = "sample"

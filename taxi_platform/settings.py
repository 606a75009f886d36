"""The settings, read once from the environment and from ``.env`` in the project's folder, and validated.

No other module reads settings from the environment. Servers, sources and months are made from the settings elsewhere.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from dotenv import dotenv_values, load_dotenv
from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from taxi_platform.errors import InvalidSetting
from taxi_platform.redaction import redact, secrets_of

_PACKAGE = Path(__file__).resolve().parent
IS_CHECKOUT = (_PACKAGE.parent / "pyproject.toml").exists()
"""Whether this is the project's own folder, and not a package installed from a wheel."""
FILES = _PACKAGE.parent if IS_CHECKOUT else _PACKAGE
"""The folder of ``dagster.yaml``, ``workspace.yaml``, ``.env.example`` and ``requirements.lock``."""
PROJECT = FILES if IS_CHECKOUT else user_data_path("taxi-platform")
"""Where ``.env`` and the data are and relative paths start: the project's folder, or else the user's data folder."""
RELEASE = "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/{service}/{service}_tripdata_{month}.csv.gz"

# As Apprise does it: an address ends where white space, a comma or a semicolon is followed by the next one.
_BETWEEN_ADDRESSES = re.compile(r"[\s,;]+(?=[A-Za-z0-9]+://)")
_ADDRESS = re.compile(r"[A-Za-z0-9]+://\S+")


def _month(value: str) -> str:
    if not re.fullmatch(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])", value, re.ASCII):
        raise ValueError(f"{value!r} is not a month from 1970-01 to 2999-12: write YYYY-MM, e.g. 2019-03")
    return value


def _absolute(value: Any) -> Path:
    try:
        return (PROJECT / Path(value).expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # an unknown ~user, a loop of links
        raise ValueError(str(error)) from None


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # no such zone, no name at all, a folder of zones
        raise ValueError("there is no such time zone; write an IANA name, e.g. America/New_York") from None
    return value


def _alert_urls(value: SecretStr) -> SecretStr:
    alert_urls_in(value.get_secret_value())
    return value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("it is not the address of a web server: write http://host:port")
    return value.rstrip("/")


def _host_names(value: str) -> str:
    for name in value.replace(",", " ").split():
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise ValueError(f"{name!r} is not a host name: write names without http:// and port")
    return value


MonthText = Annotated[str, AfterValidator(_month)]


class CloudSettings(BaseSettings):
    """Google Cloud's settings; ``project_id`` is read from ``GCP_PROJECT_ID``, and so on.

    Missing and invalid values are reported when they are used (see ``bigquery.clients``).
    """

    model_config = SettingsConfigDict(env_prefix="GCP_", env_ignore_empty=True, extra="ignore", frozen=True)

    project_id: str = Field("", description="The project's id.")
    location: str = Field("", description="Where bucket and dataset are: a region, EU or US.")
    bucket_name: str = Field("", description="The bucket of the lake.")
    dataset: str = Field("", description="The dataset of the warehouse.")
    creds: SecretStr | None = Field(None, description="A key as JSON or base64; unset, Google's defaults.")
    impersonate_service_account: str = Field("", description="The service account that the credentials act as.")
    max_gib_billed: float = Field(10.0, gt=0, description="What BigQuery may bill one statement for at most, in GiB.")
    require_partition_filter: bool = Field(False, description="Whether queries of trips and facts must name months.")
    storage_host: str = Field("", validation_alias="STORAGE_EMULATOR_HOST", description="An emulator's address.")
    bigquery_host: str = Field("", validation_alias="BIGQUERY_EMULATOR_HOST", description="An emulator's address.")

    @property
    def is_complete(self) -> bool:
        """Whether project, location, bucket and dataset are all set."""
        return all((self.project_id, self.location, self.bucket_name, self.dataset))


class Settings(BaseSettings):
    """Every setting with its default; the field ``source`` is read from ``TAXI_SOURCE``, and so on."""

    model_config = SettingsConfigDict(env_prefix="TAXI_", env_ignore_empty=True, extra="ignore", frozen=True)

    source: str = Field(RELEASE, description="A URL template, a folder, tlc, or sample[:scale].")
    data_dir: Annotated[Path, BeforeValidator(_absolute)] = Field(
        PROJECT / ".taxi" if IS_CHECKOUT else PROJECT, description="Raw files, the embedded server, Dagster's state."
    )
    postgres_url: SecretStr | None = Field(None, description="PostgreSQL 15 or later; unset, the embedded server.")
    dagster_postgres_url: SecretStr | None = Field(
        None, description="The database of Dagster's own state; unset, one beside the trips in the embedded server."
    )
    first_month: MonthText | None = Field(None, description="The first partition of every service.")
    last_month: MonthText | None = Field(None, description="The last partition of every service.")
    on_bad_rows: Literal["fail", "quarantine"] = Field("fail", description="What bad rows do to their month.")
    on_new_columns: Literal["fail", "ignore", "add"] = Field("fail", description="What unknown columns do to a month.")
    max_bad_rows: float = Field(0.05, ge=0, le=1, description="The share of a month's rows that quarantine accepts.")
    landing: str = Field(
        "", description="The landing place: a folder or gs://bucket/prefix; unset, in the data folder."
    )
    exports: str = Field("", description="The place of Parquet exports, likewise.")
    schedule_timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "UTC", description="The time zone in which months end and schedules tick."
    )
    alert_urls: Annotated[SecretStr, AfterValidator(_alert_urls)] | None = Field(
        None, description="Where alerts about failed runs are sent: Apprise URLs; unset, nowhere."
    )
    keep_runs_days: PositiveInt | None = Field(None, description="Days after which runs that no status needs go.")
    keep_raw_days: PositiveInt | None = Field(None, description="Days after which loaded raw files are removed.")
    keep_raw_gb: PositiveFloat | None = Field(None, description="Size above which loaded raw files are removed.")
    web_url: Annotated[str, AfterValidator(_web_url)] = Field(
        "http://127.0.0.1:3000", description="The address of the web UI, for links in alerts."
    )
    allowed_hosts: Annotated[str, AfterValidator(_host_names)] = Field(
        "", description="Further host names under which the web UI is published."
    )
    docker_hub_url: str = Field("https://hub.docker.com", description="Docker Hub, or a server that answers like it.")
    products_url: str = Field("https://dummyjson.com/products", description="A URL, a JSON file, or sample.")
    gemini_api_key: SecretStr | None = Field(
        None, validation_alias="GEMINI_API_KEY", description="The assistant's key; unset, it works offline."
    )
    chat_model: str = Field("gemini-2.5-flash", description="The model that answers.")
    embedding_model: str = Field("gemini-embedding-001", description="The model that embeds documents.")

    _cloud: CloudSettings = PrivateAttr(default_factory=lambda: CloudSettings())  # pyright: ignore[reportCallIssue]

    @property
    def cloud(self) -> CloudSettings | None:
        """Google Cloud's settings; None when no ``GCP_…`` is set."""
        cloud = self._cloud
        values = (cloud.project_id, cloud.location, cloud.bucket_name, cloud.dataset, cloud.creds)
        return cloud if any(values) else None

    @property
    def has_cloud(self) -> bool:
        """Whether Google Cloud is completely set, so that every load of a month includes it."""
        return self.cloud is not None and self.cloud.is_complete


def alert_urls_in(text: str) -> list[str]:
    """Return the addresses in a text, each once, in their order.

    Raises:
        ValueError: a part of the text is not an address; the message gives its number, not its text.
    """
    urls = list(dict.fromkeys(filter(None, _BETWEEN_ADDRESSES.split(text.strip(" \t\r\n,;")))))
    for number, url in enumerate(urls, 1):
        if not _ADDRESS.fullmatch(url):
            raise ValueError(
                f"address {number} of {len(urls)} is not a URL: write service://… as https://github.com/caronc/apprise "
                "explains, several with a space or a comma between them"
            )
    return urls


def dotenv() -> Mapping[str, str | None]:
    """Return the content of ``.env``; names without ``=`` map to None."""
    return dotenv_values(PROJECT / ".env")


def environment() -> Mapping[str, str]:
    """Return the environment of this process, for checks of variables that are not settings."""
    return os.environ


def field_variables() -> Sequence[str]:
    """Return the names of the variables that settings are read from."""
    return list(_fields())


def secrets() -> Iterator[str]:
    """Yield every secret in the environment, for redaction, whether or not the settings are valid."""
    for name, field in _fields().items():
        value = os.environ.get(name, "")
        if "SecretStr" in repr(field):
            yield value
        yield from secrets_of(value)


def _fields() -> Mapping[str, FieldInfo]:
    """Return the fields of the settings by the names of their variables."""
    fields = {f"TAXI_{name.upper()}": field for name, field in Settings.model_fields.items()}
    fields |= {f"GCP_{name.upper()}": field for name, field in CloudSettings.model_fields.items()}
    return {str(field.validation_alias or name): field for name, field in fields.items()}


@cache
def settings() -> Settings:
    """Return the settings of this process, or raise ``InvalidSetting``, which names the setting and what is valid."""
    for error in invalid_settings():
        raise error
    return Settings()  # pyright: ignore[reportCallIssue]


def invalid_settings() -> Sequence[InvalidSetting]:
    """Return every error in the settings, of which ``settings`` raises the first; empty when all are valid."""
    load_dotenv(PROJECT / ".env")  # into the environment too, where Google's clients look for the emulators
    problems: Sequence[Any] = ()
    try:
        Settings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problems = error.errors(include_url=False)
    found: list[InvalidSetting] = []
    for problem in problems:
        field = str(problem["loc"][0])
        name, is_secret = f"TAXI_{field.upper()}", "SecretStr" in repr(Settings.model_fields[field])
        shown = name if is_secret else f"{name}={redact(str(problem['input']))}"
        what = problem["msg"].removeprefix("Value error, ")  # pydantic puts this before our own messages
        found.append(InvalidSetting(shown, what, "See .env.example for what it may be."))
    return found

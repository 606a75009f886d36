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
"""The folder of ``dagster.yaml``, ``workspace.yaml``, ``.env.example``, ``requirements.lock`` and the documentation."""
PROJECT = FILES if IS_CHECKOUT else user_data_path("taxi-platform")
"""The folder of ``.env`` and the data, where relative paths start: the project's, or else the user's data folder."""
RELEASE = "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/{service}/{service}_tripdata_{month}.csv.gz"

# As Apprise does it: an address ends where white space, a comma or a semicolon is followed by the next one.
_BETWEEN_ADDRESSES = re.compile(r"[\s,;]+(?=[A-Za-z0-9]+://)")
_ADDRESS = re.compile(r"[A-Za-z0-9]+://\S+")


def path_of(text: str | Path) -> Path:
    """Return a path that a person wrote: ``~`` is the home folder, and a relative path starts at the project.

    Raises:
        InvalidSetting: the path begins with ``~`` and the name of an unknown user.
    """
    try:
        return PROJECT / Path(text).expanduser()
    except RuntimeError:
        raise InvalidSetting(str(text), "there is no such home directory", "Write an absolute path.") from None


def _month(value: str) -> str:
    if not re.fullmatch(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])", value, re.ASCII):
        raise ValueError(f"{value!r} is not a month from 1970-01 to 2999-12: write YYYY-MM, e.g. 2019-03")
    return value


def _absolute(value: Any) -> Path:
    try:
        return path_of(value).resolve()
    except (OSError, RuntimeError, InvalidSetting) as error:  # a loop of links, an unknown ~user
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
    """Google Cloud's settings, such as ``project_id`` from ``GCP_PROJECT_ID``; ``.env.example`` explains them.

    Missing values and invalid names are reported when they are used (see ``bigquery.clients``).
    """

    model_config = SettingsConfigDict(env_prefix="GCP_", env_ignore_empty=True, extra="ignore", frozen=True)

    project_id: str = ""
    location: str = ""
    bucket_name: str = ""
    dataset: str = ""
    creds: SecretStr | None = None
    impersonate_service_account: str = ""
    max_gib_billed: PositiveFloat = Field(default=10.0, le=1e6)
    require_partition_filter: bool = False
    storage_host: str = Field(default="", validation_alias="STORAGE_EMULATOR_HOST")
    bigquery_host: str = Field(default="", validation_alias="BIGQUERY_EMULATOR_HOST")

    @property
    def names(self) -> Mapping[str, str]:
        """The names of project, location, bucket and dataset, by the variables that set them."""
        fields = ("project_id", "location", "bucket_name", "dataset")
        return {f"GCP_{field.upper()}": getattr(self, field) for field in fields}

    @property
    def is_complete(self) -> bool:
        """Whether project, location, bucket and dataset are all set."""
        return all(self.names.values())


class Settings(BaseSettings):
    """Every setting with its default, such as ``source`` from ``TAXI_SOURCE``; ``.env.example`` explains them."""

    model_config = SettingsConfigDict(env_prefix="TAXI_", env_ignore_empty=True, extra="ignore", frozen=True)

    source: str = RELEASE
    data_dir: Annotated[Path, BeforeValidator(_absolute)] = PROJECT / ".taxi" if IS_CHECKOUT else PROJECT
    postgres_url: SecretStr | None = None
    dagster_postgres_url: SecretStr | None = None
    first_month: MonthText | None = None
    last_month: MonthText | None = None
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    on_new_columns: Literal["fail", "ignore", "add"] = "fail"
    max_bad_rows: float = Field(default=0.05, ge=0, le=1)
    landing: str = ""
    exports: str = ""
    schedule_timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    alert_urls: Annotated[SecretStr, AfterValidator(_alert_urls)] | None = None
    keep_runs_days: PositiveInt | None = Field(default=None, le=36_500)  # a hundred years
    keep_raw_days: PositiveInt | None = None
    keep_raw_gb: PositiveFloat | None = None
    web_url: Annotated[str, AfterValidator(_web_url)] = "http://127.0.0.1:3000"
    allowed_hosts: Annotated[str, AfterValidator(_host_names)] = ""
    docker_hub_url: str = "https://hub.docker.com"
    products_url: str = "https://dummyjson.com/products"
    gemini_api_key: SecretStr | None = Field(default=None, validation_alias="GEMINI_API_KEY")
    chat_model: str = "gemini-2.5-flash"
    embedding_model: str = "gemini-embedding-001"

    _cloud: CloudSettings = PrivateAttr(default_factory=CloudSettings)

    @property
    def cloud(self) -> CloudSettings | None:
        """Google Cloud's settings; None when no ``GCP_…`` is set."""
        cloud = self._cloud
        return cloud if cloud.creds or any(cloud.names.values()) else None

    @property
    def allowed_bad_rows(self) -> float:
        """The share of a file's rows that may be bad and are then set aside; 0 if one bad row fails the month."""
        return self.max_bad_rows if self.on_bad_rows == "quarantine" else 0.0

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


def secrets() -> Iterator[str]:
    """Yield every secret in the environment, for redaction, whether or not the settings are valid."""
    for name, field in fields().items():
        value = os.environ.get(name, "")
        if "SecretStr" in repr(field):
            yield value
        yield from secrets_of(value)


def fields() -> Mapping[str, FieldInfo]:
    """Return the fields of the settings by the names of their variables."""
    found = {f"TAXI_{name.upper()}": field for name, field in Settings.model_fields.items()}
    found |= {f"GCP_{name.upper()}": field for name, field in CloudSettings.model_fields.items()}
    return {str(field.validation_alias or name): field for name, field in found.items()}


@cache
def settings() -> Settings:
    """Return the settings of this process, or raise ``InvalidSetting``, which names the setting and what is valid."""
    for error in invalid_settings():
        raise error
    return Settings()


def invalid_settings() -> Sequence[InvalidSetting]:
    """Return every error in the settings; empty when all are valid. ``settings`` raises the first one."""
    load_dotenv(PROJECT / ".env")  # into the environment too, where Google's clients look for the emulators
    found: dict[str, InvalidSetting] = {}
    for kind in (Settings, CloudSettings):
        try:
            kind()
        except ValidationError as error:  # the first may have errors of the second
            for problem in error.errors(include_url=False):
                field = str(problem["loc"][0])
                name = field if field in fields() else f"{kind.model_config.get('env_prefix')}{field.upper()}"
                if name in fields():
                    is_secret = "SecretStr" in repr(fields()[name])
                    shown = name if is_secret else f"{name}={redact(str(problem['input']))}"
                    what = problem["msg"].removeprefix("Value error, ")  # pydantic puts this before our own messages
                    found[name] = InvalidSetting(shown, what, "See .env.example for what it may be.")
    return list(found.values())

"""The family of errors that the platform raises on bad input and broken surroundings.

Each says what happened, to which file or service, and what to do next. ``transient`` says whether trying again can
help without changing anything. Programming errors do not belong here.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import PurePath

LONGEST_MESSAGE = 500  # characters of another program's message that are repeated: it may quote a field of a megabyte
LONGEST = 2_000  # characters of what happened: it may quote a row, and a row may be a megabyte

# The extra with which each optional module is installed; see pyproject.toml.
EXTRAS = {
    module: extra
    for extra, modules in {
        "alerts": ("apprise",),
        "assistant": ("Stemmer", "bm25s", "bs4", "duckdb", "google.genai", "markdown_it", "markdownify"),
        "bigquery-models": ("dbt.adapters.bigquery",),
        "dbt": ("dbt", "sqlglot"),
        "duckdb": ("dagster_duckdb",),
        "frames": ("adbc_driver_postgresql", "pandas"),
        "google": ("dagster_gcp", "google", "google_crc32c"),
        "mcp": ("mcp",),
        "parquet": ("pgpq", "pyarrow"),
        "report": ("altair", "jinja2", "vl_convert"),
    }.items()
    for module in modules
}


def shortened(message: str) -> str:
    """Return another program's message on one line, cut where it gets too long."""
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + " …"


class TaxiError(Exception):
    """Something went wrong that a person can understand and fix.

    Args:
        subject: the file, month, setting or server it happened to.
        what: what happened, as a clause without a full stop.
        advice: what to do next, as a sentence.
    """

    transient: bool = False

    def __init__(self, subject: str, what: str, advice: str = "") -> None:
        what = what if len(what) <= LONGEST else f"{what[:LONGEST]} …"
        super().__init__(f"{subject}: {what}. {advice}".rstrip())
        self.subject = subject
        self.what = what
        self.advice = advice


class InvalidSetting(TaxiError):
    """A setting has an invalid value."""


class InvalidRequest(TaxiError):
    """A command was asked for something that does not exist."""


class NotPublished(TaxiError):
    """The source answers, but does not have the file."""


class AccessDenied(TaxiError):
    """The source answers, but refuses to send the file."""


class SourceUnreachable(TaxiError):
    """The source does not answer or breaks off, after all retries; it may ask to wait ``retry_after`` seconds."""

    transient = True
    retry_after: float | None = None


class DamagedFile(TaxiError):
    """The bytes are not the file they should be: cut off, failed checksum, an error page, trailing garbage."""


class FileChanged(DamagedFile):
    """The file in the cache is not the one that was verified, because it was fetched again, removed or edited since."""

    transient = True  # the next attempt checks the cache again and fetches a missing file


class SchemaMismatch(TaxiError):
    """The columns of a file or a table are not the expected ones."""


class BadRows(TaxiError):
    """Rows of the file do not fit the contract's types."""


class DatabaseUnreachable(TaxiError):
    """PostgreSQL cannot be reached: its name, port, log-in or database is wrong, or no connection is left."""

    transient = True


class DatabaseInterrupted(TaxiError):
    """The connection to PostgreSQL was lost, or PostgreSQL gave up waiting, in the middle of the work."""

    transient = True


class DatabaseRefused(TaxiError):
    """PostgreSQL or DuckDB refuses a statement, for example because a privilege is missing."""


class TooManyRuns(TaxiError):
    """The job is at its concurrency limit."""

    transient = True


class StorageFull(TaxiError):
    """A disk is full or a folder cannot be written."""


class UnsupportedServer(TaxiError):
    """A PostgreSQL server or data directory has a version or layout that cannot be used."""


class CloudNotConfigured(TaxiError):
    """Settings or credentials of Google Cloud are missing."""


class CloudNotReady(TaxiError):
    """The bucket or the dataset does not exist, is not where the settings say, or belongs to somebody else."""


class CloudRefused(TaxiError):
    """Google answers but refuses: expired credentials, a missing role, a quota that is used up."""


class CloudUnavailable(TaxiError):
    """Google does not answer or asks us to come back later, after all retries."""

    transient = True


class NotLoaded(TaxiError):
    """Data that a command or an asset needs is not loaded."""


class BrokenModels(TaxiError):
    """dbt cannot read the models, or they contradict themselves."""


class MissingExtra(TaxiError):
    """A package is needed that comes with an extra, and it is not installed."""

    def __init__(self, module: str) -> None:
        extra = EXTRAS.get(module) or EXTRAS[module.partition(".")[0]]
        # The environment of a tool of uv has no pip, and any other pip would install for another Python.
        install = f"{sys.executable} -m pip install" if find_spec("pip") else f"uv pip install --python {sys.prefix}"
        advice = f"Run `{install} 'taxi-platform[{extra}]'`, or `make install` in the project's folder."
        super().__init__(module, "it is not installed", advice)


@contextmanager
def missing_extras() -> Generator[None, None, None]:
    """Raise ``MissingExtra`` if an import inside the block fails because an extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        raise MissingExtra(error.name or "") from None


@contextmanager
def disk_errors(target: PurePath) -> Generator[None, None, None]:
    """Turn every ``OSError`` of the block, which writes the file ``target``, into ``StorageFull`` with the reason."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        advice = "Free space there or make it writable, or set TAXI_DATA_DIR to another folder."
        raise StorageFull(target.name, f"{target} cannot be written: {reason}", advice) from error

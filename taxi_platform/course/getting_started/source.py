"""Where products come from: a web API, a file, or the sample that comes along."""

from dataclasses import replace
from pathlib import Path

from taxi_platform.course.getting_started.paging import Product, page_address, page_of, read_pages
from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.retries import ONCE
from taxi_platform.settings import PROJECT
from taxi_platform.sources.answers import public
from taxi_platform.sources.http import SHORT_TIMEOUTS
from taxi_platform.sources.web_api import LARGEST, Api

SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).with_name("sample.json")
_ADVICE = "Check TAXI_PRODUCTS_URL and the connection, or set TAXI_PRODUCTS_URL=sample for the ones that come along."
API = Api("products", advice=_ADVICE, missing=_ADVICE)


def read_products(place: str) -> list[Product]:
    """All products of a ``TAXI_PRODUCTS_URL``.

    Raises:
        NotPublished, AccessDenied, SourceUnreachable: as the server or the disk says.
        DamagedFile: what is there is no list of products, or not the whole.
    """
    if "://" in place:
        return read_pages(lambda skip: API.ask(page_address(place, skip)))
    answer = API.parse(_content(SAMPLE_FILE if place == SAMPLE else PROJECT / Path(place).expanduser()), place)
    return read_pages(lambda skip: answer if not skip else _refuse_part(place, skip))


def probe(address: str) -> None:
    """Ask a web API for its first page with short timeouts.

    Raises:
        TaxiError: it does not answer, or not with products.
    """
    page_of(replace(API, retries=ONCE, timeouts=SHORT_TIMEOUTS).ask(page_address(address, 0)))


def shown(place: str) -> str:
    """The place as it may be shown: without credentials, the sample by its file's name."""
    return f"the sample ({SAMPLE_FILE.name})" if place == SAMPLE else public(place)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotPublished("products", f"there is no file {path}", _ADVICE) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AccessDenied("products", f"{path} cannot be read ({reason})", _ADVICE) from None
    if len(content) > LARGEST:
        raise DamagedFile("products", f"{path} is larger than {LARGEST // 1024 // 1024} MiB", _ADVICE)
    return content


def _refuse_part(place: str, have: int) -> None:
    raise DamagedFile(
        "products",
        f"{place} holds the first {have} of them: one page of several",
        "Save them all in one, as https://dummyjson.com/products?limit=0 does.",
    )

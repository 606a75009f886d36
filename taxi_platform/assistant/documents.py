"""Documents: texts with headings, read from files, folders and URLs. How they are cut up is decided in ``passages``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.settings import PROJECT
from taxi_platform.sources.http.addresses import public
from taxi_platform.sources.http.retries import Retries
from taxi_platform.sources.web_api import Api

LARGEST = 2 * 1024 * 1024  # bytes: a long book is 1 MB; what is larger is no document but data
SUFFIXES = (".md", ".markdown", ".txt", ".html", ".htm")


@dataclass(frozen=True)
class Document:
    """A text in Markdown.

    Attributes:
        location: the URL or the file that it was read from; a file of the project is named from the project's folder.
        text: its text, HTML already turned into Markdown.
    """

    location: str
    text: str


def read_documents(locations: Iterable[str], retries: Retries | None = None) -> list[Document]:
    """Every document that the locations name: a URL, a file, or a folder of ``.md``, ``.txt`` and ``.html`` files.

    Relative paths start at the project's folder.

    Raises:
        NotPublished: no such file, an empty folder, or the server has no such page.
        AccessDenied: the server or the file's rights refuse it.
        SourceUnreachable: the server does not answer.
        DamagedFile: it is no text, is empty, or is larger than 2 MiB.
    """
    return [_read(place, retries or Retries()) for location in locations for place in _places(location)]


def _places(location: str) -> Iterator[str]:
    if "://" in location:
        yield location
        return
    path = PROJECT / Path(location).expanduser()
    if not path.is_dir():
        yield location
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise NotPublished(location, "the folder holds no .md, .txt or .html file", "Name another folder or file.")
    yield from map(str, files)


def _read(location: str, retries: Retries) -> Document:
    if "://" in location:
        name = public(location)
        advice = "Check the document's address."
        content = Api(name, advice, advice, retries=retries).content(location, log=lambda _: None)
        return Document(name, _as_markdown(content, name))
    path = PROJECT / Path(location).expanduser()
    name = str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise NotPublished(name, "there is no such document", "Name a URL, a file or a folder.") from None
    except OSError as error:
        raise AccessDenied(name, f"the document cannot be read ({error.strerror})") from None
    return Document(name, _as_markdown(content, name))


def _as_markdown(content: bytes, name: str) -> str:
    if len(content) > LARGEST:
        raise DamagedFile(
            name, "it is larger than 2 MiB: this is no document", "Name the pages that matter, one by one."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedFile(name, f"it is no UTF-8 text (byte {error.start:,} is none)", "Convert it first.") from None
    if "\0" in text:
        raise DamagedFile(name, "it is no text: it holds NUL bytes", "Convert it first.")
    if text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
        text = _from_html(text)
    if not text.strip():
        raise DamagedFile(name, "the document is empty", "Name another one.")
    return text


def _from_html(page: str) -> str:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(page, "html.parser")
    for element in soup(["script", "style", "nav", "header", "footer"]):
        element.decompose()
    return MarkdownConverter(heading_style="ATX").convert_soup(soup)

"""Documents: reading texts from files, folders and URLs, and cutting them at their headings into passages."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.redaction import public
from taxi_platform.settings import FILES, PROJECT
from taxi_platform.sources.web_api import Api

LARGEST = 2 * 1024 * 1024  # bytes: a long book is 1 MB; anything larger is data
LONGEST = 1000  # characters: about 250 tokens, one thought with its example; embedding models take 2,048 tokens
SUFFIXES = (".md", ".markdown", ".txt", ".html", ".htm")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A text in Markdown, and the URL or file that it was read from."""

    location: str
    text: str


@dataclass(frozen=True)
class Passage:
    """A piece of a document, at most 1,000 characters of Markdown, that makes sense alone and can be cited."""

    document: str  # its location
    headings: tuple[str, ...]  # outermost first
    link: str  # the document's location with the anchor of the innermost heading
    text: str

    @property
    def title(self) -> str:
        """The headings in one line, or the document's name if it has none."""
        return " / ".join(self.headings) or self.document

    @property
    def identity(self) -> str:
        """A hash that an edited passage does not share with the old one."""
        return hashlib.sha256(repr((self.link, self.title, self.text)).encode()).hexdigest()

    @property
    def searchable(self) -> str:
        """The text with its headings, which often contain the decisive word."""
        return f"{self.title}\n\n{self.text}"


def read_documents(locations: Iterable[str]) -> list[Document]:
    """Read every document that the locations name: URLs, files, and folders of ``.md``, ``.txt`` and ``.html`` files.

    Relative paths start at the project's folder.

    Raises:
        NotPublished: the file or page does not exist, or the folder has no documents.
        AccessDenied: the server or the file's permissions refuse it.
        SourceUnreachable: the server does not answer.
        DamagedFile: the document is not text, is empty, or is larger than 2 MiB.
    """
    return [document for location in locations for document in _read(location)]


def _read(location: str) -> Iterator[Document]:
    if "://" in location:
        name, advice = public(location), "Check the document's address."
        yield Document(name, _as_markdown(Api(name, advice, advice).content(location), name))
        return
    here = FILES if (FILES / location).exists() else PROJECT  # the package has the project's own documents
    path = here / Path(location).expanduser()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    # Documents are named by a run's configuration, which must not lead to secrets: .env, keys, passwords.
    files = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not files:
        what = "it is not a .md, .txt or .html file, or a folder of such files"
        raise NotPublished(location, what, "Name another one.")
    for file in files:
        name = str(file.relative_to(here) if file.is_relative_to(here) else file)
        try:
            with file.open("rb") as opened:
                content = opened.read(LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise NotPublished(name, "there is no such document", "Name a URL, a file or a folder.") from None
        except OSError as error:
            raise AccessDenied(name, f"the document cannot be read ({error.strerror})") from None
        yield Document(name, _as_markdown(content, name))


def _as_markdown(content: bytes, name: str) -> str:
    if len(content) > LARGEST:
        what = "it is larger than 2 MiB, too large for a document"
        raise DamagedFile(name, what, "Name the pages that matter, one by one.")
    text = content.decode("utf-8-sig", errors="replace")
    if "\0" in text or "\ufffd" in text:
        raise DamagedFile(name, "it is not UTF-8 text", "Convert it first.")
    if text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
        from bs4 import BeautifulSoup
        from markdownify import MarkdownConverter

        soup = BeautifulSoup(text, "html.parser")
        for element in soup(["script", "style", "nav", "header", "footer"]):
            element.decompose()
        try:
            text = MarkdownConverter(heading_style="ATX").convert_soup(soup)
        except RecursionError:
            raise DamagedFile(name, "its elements are nested too deeply to be read", "Name another one.") from None
    if not text.strip():
        raise DamagedFile(name, "the document is empty", "Name another one.")
    return text


def passages_of(document: Document) -> list[Passage]:
    """Return the passages of a document in order. Only its front matter is left out."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", document.text)
    lines = re.split(r"\r\n?|\n", text)  # as Markdown counts them
    tokens = MarkdownIt().parse(text)
    sections: list[tuple[tuple[str, ...], int, int]] = [((), 0, 0)]  # headings; the lines where the innermost is
    path: dict[int, str] = {}  # the headings above, by level
    for token, content in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            level = int(token.tag[1:])
            path = {above: heading for above, heading in path.items() if above < level} | {level: content.content}
            sections.append((tuple(path.values()), token.map[0], token.map[1]))
    ends = [start for _, start, _ in sections[1:]]
    return [
        Passage(document.location, headings, _link(document.location, headings), piece)
        for (headings, _, start), end in zip(sections, [*ends, len(lines)], strict=True)
        for piece in _pieces("\n".join(lines[start:end]).strip())
    ]


def _pieces(text: str) -> Iterator[str]:
    """Cut a section into pieces that a passage can hold: between paragraphs, else between lines, else words."""
    while len(text) > LONGEST:
        cuts = (text.rfind(between, LONGEST // 2, LONGEST) for between in ("\n\n", "\n", " "))
        cut = next((cut for cut in cuts if cut > 0), LONGEST)
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text


def _link(location: str, headings: tuple[str, ...]) -> str:
    """Return the location with the anchor that GitHub gives the innermost heading."""
    if not headings:
        return location
    anchor = re.sub(r"[^\w\- ]", "", headings[-1].lower()).replace(" ", "-")
    return f"{location.partition('#')[0]}#{anchor}"

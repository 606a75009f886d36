"""Documents: reading texts from files, folders and URLs, and cutting them at their headings into passages.

Finding the passages that answer a question does not belong here; see ``retrieval``.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.redaction import public
from taxi_platform.settings import PROJECT
from taxi_platform.sources.web_api import Api

if TYPE_CHECKING:
    from markdown_it.token import Token

LARGEST = 2 * 1024 * 1024  # bytes: a long book is 1 MB; anything larger is data
LONGEST = 1000  # characters: about 250 tokens, one thought with its example; embedding models take 2,048 tokens
SUFFIXES = (".md", ".markdown", ".txt", ".html", ".htm")


@dataclass(frozen=True)
class Document:
    """A text in Markdown.

    Attributes:
        location: the URL or file that it was read from; a file of the project is relative to the project's folder.
        text: its text; HTML is already converted to Markdown.
    """

    location: str
    text: str


@dataclass(frozen=True)
class Passage:
    """A piece of a document that makes sense alone and can be cited.

    Attributes:
        document: the document's location.
        headings: the headings above it, outermost first.
        link: the document's location with the anchor of the innermost heading.
        text: Markdown, at most 1,000 characters.
    """

    document: str
    headings: tuple[str, ...]
    link: str
    text: str

    @property
    def title(self) -> str:
        """The headings in one line, or the document's name if there are none."""
        return " / ".join(self.headings) or self.document

    @property
    def identity(self) -> str:
        """A hash of everything that tells this passage from others; an edited passage has another one."""
        return hashlib.sha256(repr((self.link, self.title, self.text)).encode()).hexdigest()

    @property
    def searchable(self) -> str:
        """The text with its headings, which often contain the decisive word."""
        return f"{self.title}\n\n{self.text}"


def read_documents(locations: Iterable[str]) -> list[Document]:
    """Read every document that the locations name: URLs, files, and folders of ``.md``, ``.txt`` and ``.html`` files.

    Relative paths start at the project's folder.

    Raises:
        NotPublished: there is no such file or page, or the folder has no documents.
        AccessDenied: the server or the file's permissions refuse it.
        SourceUnreachable: the server does not answer.
        DamagedFile: the document is not text, is empty, or is larger than 2 MiB.
    """
    return [_read(place) for location in locations for place in _places(location)]


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
        raise NotPublished(location, "the folder has no .md, .txt or .html file", "Name another folder or file.")
    yield from map(str, files)


def _read(location: str) -> Document:
    if "://" in location:
        name = public(location)
        advice = "Check the document's address."
        content = Api(name, advice, advice).content(location)
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
            name, "it is larger than 2 MiB, too large for a document", "Name the pages that matter, one by one."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedFile(name, f"it is not UTF-8 text (see byte {error.start:,})", "Convert it first.") from None
    if "\0" in text:
        raise DamagedFile(name, "it is not text: it contains NUL bytes", "Convert it first.")
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


_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_Section = tuple[tuple[str, ...], int, int]


def passages_of(document: Document) -> list[Passage]:
    """Return the passages of a document in order. Only its front matter is left out."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", document.text)
    lines = text.splitlines()
    tokens = [token for token in MarkdownIt().enable("table").parse(text) if token.map]
    return [
        Passage(document.location, headings, _link(document.location, headings), piece)
        for headings, start, end in _sections(tokens, len(lines))
        for piece in _pieces(lines, _starts(tokens, start, end), end)
    ]


def _sections(tokens: "list[Token]", length: int) -> Iterator[_Section]:
    """Yield the headings above each section with the section's first line and the line after its last."""
    marks: list[tuple[int, int, str]] = [(0, 0, "")]  # the line after the heading, its level, its text
    ends: list[int] = []
    for token, inline in pairwise([*tokens, *tokens[-1:]]):
        if token.type == "heading_open" and token.map and token.level == 0:
            ends.append(token.map[0])
            marks.append((token.map[1], int(token.tag[1:]), inline.content))
    path: dict[int, str] = {}
    for (start, level, heading), end in zip(marks, [*ends, length], strict=True):
        if level:
            path = {above: text for above, text in path.items() if above < level} | {level: heading}
        yield tuple(path[level] for level in sorted(path)), start, end


def _starts(tokens: "list[Token]", start: int, end: int) -> list[int]:
    """Return the lines where a section may be cut: where a paragraph, a row or an item begins."""
    return sorted({token.map[0] for token in tokens if token.map and start <= token.map[0] < end})


def _pieces(lines: list[str], starts: list[int], end: int) -> Iterator[str]:
    blocks = ("\n".join(lines[a:b]) for a, b in pairwise([*starts, end]))
    piece = ""
    for block in (part for whole in blocks for part in _cut(whole)):
        if piece and len(piece) + len(block) > LONGEST:
            yield piece.strip()
            piece = ""
        piece += block + "\n"
    if piece.strip():
        yield piece.strip()


def _cut(block: str) -> Iterable[str]:
    """Cut a block that is longer than a passage may be into pieces that end with a word if possible."""
    while len(block) > LONGEST:
        cut = max(block.rfind(end, 0, LONGEST) for end in "\n ")
        cut = cut if cut > 0 else LONGEST - 1
        yield block[:cut]
        block = block[cut:].lstrip()
    yield block


def _link(location: str, headings: tuple[str, ...]) -> str:
    """Return the location with the anchor that GitHub gives the innermost heading."""
    if not headings:
        return location
    anchor = re.sub(r"[^\w\- ]", "", headings[-1].lower()).replace(" ", "-")
    return f"{location.partition('#')[0]}#{anchor}"

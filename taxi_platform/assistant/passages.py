"""Passages: what is retrieved and cited, made by cutting documents at their headings. Pure."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from taxi_platform.assistant.documents import Document

if TYPE_CHECKING:
    from markdown_it.token import Token

LONGEST = 1000  # characters: about 250 tokens, one thought with its example; embedding models take 2,048 tokens


@dataclass(frozen=True)
class Passage:
    """A piece of a document that can be read by itself.

    Attributes:
        document: the document's location.
        headings: the headings it stands under, outermost first.
        link: the document's location with the anchor of the innermost heading.
        text: Markdown, at most 1,000 characters.
    """

    document: str
    headings: tuple[str, ...]
    link: str
    text: str

    @property
    def title(self) -> str:
        """The headings in one line; the document's name where there are none."""
        return " / ".join(self.headings) or self.document

    @property
    def identity(self) -> str:
        """A hash of what makes this passage differ from every other; an edited passage is another one."""
        return hashlib.sha256(repr((self.link, self.title, self.text)).encode()).hexdigest()

    @property
    def searchable(self) -> str:
        """What retrieval looks at: the text together with its headings, which often hold the decisive word."""
        return f"{self.title}\n\n{self.text}"


def passages_of(document: Document) -> list[Passage]:
    """The passages of a document in order. Front matter is left out; nothing else is."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", document.text)
    lines = text.splitlines()
    tokens = [token for token in MarkdownIt().enable("table").parse(text) if token.map]
    return [
        Passage(document.location, headings, _link(document.location, headings), piece)
        for headings, start, end in _sections(tokens, len(lines))
        for piece in _pieces(lines, _starts(tokens, start, end), end)
    ]


_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_Section = tuple[tuple[str, ...], int, int]


def _sections(tokens: "list[Token]", length: int) -> Iterator[_Section]:
    """Headings with the lines from behind them to the next heading of any level."""
    marks: list[tuple[int, int, str]] = [(0, 0, "")]  # line behind the heading, its level, its text
    ends: list[int] = []
    for token, inline in pairwise([*tokens, *tokens[-1:]]):
        if token.type == "heading_open" and token.map and token.level == 0:
            ends.append(token.map[0])
            marks.append((token.map[1], int(token.tag[1:]), inline.content))
    path: dict[int, str] = {}
    for (start, level, heading), end in zip(marks, [*ends, length], strict=True):
        if level:
            path = {above: text for above, text in path.items() if above < level} | {level: heading}
        yield tuple(path[one] for one in sorted(path)), start, end


def _starts(tokens: "list[Token]", start: int, end: int) -> list[int]:
    """The lines at which a section may be cut: where a block of it begins, a row or an item included."""
    return sorted({token.map[0] for token in tokens if token.map and start <= token.map[0] < end})


def _pieces(lines: list[str], starts: list[int], end: int) -> Iterator[str]:
    blocks = ("\n".join(lines[a:b]) for a, b in pairwise([*starts, end]))
    held = ""
    for block in (part for whole in blocks for part in _cut(whole)):
        if held and len(held) + len(block) > LONGEST:
            yield held.strip()
            held = ""
        held += block + "\n"
    if held.strip():
        yield held.strip()


def _cut(block: str) -> Iterable[str]:
    """A block that is longer than a passage may be, in pieces that end with a word if possible."""
    while len(block) > LONGEST:
        cut = max(block.rfind(end, 0, LONGEST) for end in "\n ")
        cut = cut if cut > 0 else LONGEST - 1
        yield block[:cut]
        block = block[cut:].lstrip()
    yield block


def _link(location: str, headings: tuple[str, ...]) -> str:
    """The location with the anchor that GitHub gives the innermost heading."""
    if not headings:
        return location
    anchor = re.sub(r"[^\w\- ]", "", headings[-1].lower()).replace(" ", "-")
    return f"{location.partition('#')[0]}#{anchor}"

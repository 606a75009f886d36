"""An answer without a model: the sentences, rows and items of the passages that share most with the question. Pure."""

import re
from collections.abc import Iterator, Sequence

from taxi_platform.assistant.lexical import words_of
from taxi_platform.assistant.retrieval import Found

QUOTED = 5  # lines: what fits on a screen; the sources have the rest
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`*\"(])")
_TABLE_HEAD = re.compile(r"^\|.*\n\|[\s|:-]+\|$", re.MULTILINE)
_STRUCTURE = re.compile(r"^\s*(```.*|#+\s.*)$")


def extract(question: str, found: Sequence[Found]) -> str:
    """The lines of the passages that fit the question best, each with its passage's number, the best passage first."""
    asked = set(words_of([question])[0])
    quotes = [(number, line) for number, one in enumerate(found, start=1) for line in _lines(one.passage.text)]
    spoken = words_of([line for _, line in quotes])
    shared = [len(asked & set(words)) for words in spoken]
    best = sorted(range(len(quotes)), key=lambda place: (-shared[place], place))[:QUOTED]
    enough = max(shared, default=0) / 2
    return "\n".join(f"- {quotes[place][1]} [{quotes[place][0]}]" for place in sorted(best) if shared[place] > enough)


def _lines(text: str) -> Iterator[str]:
    """Sentences of prose, items of lists and rows of tables, each in one line; a table's head is left out."""
    text = _TABLE_HEAD.sub("", text)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.)\s)", text):
        kept = " ".join(line.strip() for line in block.splitlines() if not _STRUCTURE.match(line))
        if kept.startswith("|"):
            yield " — ".join(cell.strip() for cell in kept.strip("| ").split("|"))
        else:
            yield from filter(None, _SENTENCE_END.split(kept.lstrip("-* ")))

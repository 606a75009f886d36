"""How documents are cut up: at their headings, into pieces that can be read and cited by themselves."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.assistant.documents import LONGEST, Document, passages_of

TEXT = """\
---
title: left out
---
Before any heading.

# Loading
How a month is loaded.

## Errors!
```
# no heading, but a comment in code
```

## The way of a month
One.
"""


def cut(text: str, location: str = "docs/loading.md") -> list[tuple[str, str, str]]:
    return [(one.title, one.link, one.text) for one in passages_of(Document(location, text))]


def test_a_passage_ends_at_the_next_heading_and_is_named_by_those_above_it() -> None:
    assert cut(TEXT) == [
        ("docs/loading.md", "docs/loading.md", "Before any heading."),
        ("Loading", "docs/loading.md#loading", "How a month is loaded."),
        ("Loading / Errors!", "docs/loading.md#errors", "```\n# no heading, but a comment in code\n```"),
        ("Loading / The way of a month", "docs/loading.md#the-way-of-a-month", "One."),
    ]


def test_a_heading_without_text_below_it_gives_no_passage() -> None:
    assert cut("# One\n## Two\ntext") == [("One / Two", "docs/loading.md#two", "text")]


def test_a_link_keeps_the_documents_address_and_not_its_own_anchor() -> None:
    assert cut("# A b\ntext", "https://example.org/notes#top")[0][1] == "https://example.org/notes#a-b"


def test_a_long_table_is_cut_between_its_rows() -> None:
    rows = [f"| row {number} | {'x' * 200} |" for number in range(30)]
    pieces = [text for _, _, text in cut("\n".join(["| a | b |", "|---|---|", *rows]))]
    assert len(pieces) > 3
    assert [line for text in pieces for line in text.splitlines()][2:] == rows


LINES = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40).map(str.strip).filter(bool))


@given(st.lists(st.tuples(st.integers(0, 3), LINES), min_size=1))
def test_every_word_of_a_document_is_in_exactly_one_passage_or_heading(sections: list[tuple[int, list[str]]]) -> None:
    text = "\n\n".join("\n".join([*(["#" * level + " heading"] if level else []), *lines]) for level, lines in sections)
    passages = passages_of(Document("a.md", text))
    written = [word for _, lines in sections for line in lines for word in re.findall(r"\w+", line)]
    assert [word for one in passages for word in re.findall(r"\w+", one.text)] == written
    assert all(0 < len(one.text) <= LONGEST for one in passages)


@given(st.text())
def test_any_text_at_all_can_be_cut(text: str) -> None:
    for one in passages_of(Document("a.md", text)):
        assert one.text.strip()
        assert len(one.text) <= LONGEST


@pytest.mark.parametrize("text", ["x" * 10_000, "word " * 3_000, "- item\n" * 2_000], ids=["word", "prose", "list"])
def test_what_is_longer_than_a_passage_is_cut_without_losing_anything(text: str) -> None:
    pieces = [piece for _, _, piece in cut(text)]
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert max(map(len, pieces)) <= LONGEST

"""Documents: read from files and folders, and cut into passages. Documents from servers are tested in ``test_chat``."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.assistant.documents import LARGEST, LONGEST, Document, passages_of, read_documents
from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished

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


def test_a_folder_gives_its_texts_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.md", "a.txt", "deep/c.html", "picture.png"):
        (tmp_path / name).write_text(name)
    assert [each.text for each in read_documents([str(tmp_path)])] == ["a.txt", "b.md", "deep/c.html"]


def test_a_relative_path_starts_at_the_project_wherever_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (readme,) = read_documents(["README.md"])
    assert readme.location == "README.md"
    assert readme.text.startswith("# taxi_platform")


def test_html_becomes_markdown_without_scripts_and_navigation(tmp_path: Path) -> None:
    page = "<!DOCTYPE html><html><head><style>p {}</style></head><body><h2>Zones</h2><p>Of the <b>city</b>.</p></body>"
    (tmp_path / "page.html").write_text(page)
    (document,) = read_documents([str(tmp_path / "page.html")])
    assert "## Zones" in document.text
    assert "Of the **city**." in document.text
    assert "p {}" not in document.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x89PNG\r\n\xff\xfe", "not UTF-8 text"),
        (b"text\0text", "not UTF-8 text"),
        (b"x" * (LARGEST + 1), "larger than 2 MiB"),
        (b"<html>" + b"<b>" * 3000 + b"text", "nested too deeply"),
    ],
    ids=["empty", "blank", "picture", "NUL", "a byte too long", "deep"],
)
def test_data_that_is_not_a_document_is_refused_by_name(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes(content)
    with pytest.raises(DamagedFile, match=f"notes.md.*{reason}"):
        read_documents([str(tmp_path / "notes.md")])


@pytest.mark.parametrize("name", [".env", "password", "key.json"])
def test_a_file_that_is_not_a_document_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("KEY=pa55word")
    with pytest.raises(NotPublished, match="or a folder of such files"):
        read_documents([str(tmp_path / name)])


def test_an_absent_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match=r"absent.md: there is no such document"):
        read_documents([str(tmp_path / "absent.md")])
    with pytest.raises(NotPublished, match="or a folder of such files"):
        read_documents([str(tmp_path)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("text")
    (tmp_path / "notes.md").chmod(0)
    with pytest.raises(AccessDenied, match=r"notes.md"):
        read_documents([str(tmp_path / "notes.md")])


def cut(text: str, location: str = "docs/loading.md") -> list[tuple[str, str, str]]:
    return [(each.title, each.link, each.text) for each in passages_of(Document(location, text))]


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


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x0b", "\x85"])
def test_only_the_ends_of_lines_that_markdown_knows_divide_lines(separator: str) -> None:
    found = cut(f"intro{separator}line\n\n# A\n\nfoo{separator}bar\r\nbaz\n\n# B\n\nlast")
    assert [(title, text.split()[-1]) for title, _, text in found][1:] == [("A", "baz"), ("B", "last")]


LINES = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40).map(str.strip).filter(bool))


@given(st.lists(st.tuples(st.integers(0, 3), LINES), min_size=1))
def test_every_word_of_a_document_is_in_exactly_one_passage_or_heading(sections: list[tuple[int, list[str]]]) -> None:
    text = "\n\n".join("\n".join([*(["#" * level + " heading"] if level else []), *lines]) for level, lines in sections)
    passages = passages_of(Document("a.md", text))
    written = [word for _, lines in sections for line in lines for word in re.findall(r"\w+", line)]
    assert [word for each in passages for word in re.findall(r"\w+", each.text)] == written
    assert all(0 < len(each.text) <= LONGEST for each in passages)


@pytest.mark.parametrize("text", ["x" * 10_000, "word " * 3_000, "- item\n" * 2_000], ids=["word", "prose", "list"])
def test_long_text_is_cut_without_losing_anything(text: str) -> None:
    pieces = [piece for _, _, piece in cut(text)]
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert max(map(len, pieces)) <= LONGEST

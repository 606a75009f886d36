"""Reading documents from files and folders. What servers answer is tested with a server."""

import os
from pathlib import Path

import pytest

from taxi_platform.assistant.documents import LARGEST, read_documents
from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished


def test_a_folder_gives_its_texts_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.md", "a.txt", "deep/c.html", "picture.png"):
        (tmp_path / name).write_text(name)
    assert [one.text for one in read_documents([str(tmp_path)])] == ["a.txt", "b.md", "deep/c.html"]


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
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x89PNG\r\n\xff\xfe", "not UTF-8 text"),
        (b"text\0text", "NUL"),
        (b"x" * (LARGEST + 1), "larger than 2 MiB"),
        (b"x" * (10 * 1024 * 1024), "larger than 2 MiB"),
    ],
    ids=["empty", "blank", "picture", "NUL", "a byte too long", "10 MB"],
)
def test_data_that_is_not_a_document_is_refused_by_name(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes(content)
    with pytest.raises(DamagedFile, match=f"notes.md.*{said}"):
        read_documents([str(tmp_path / "notes.md")])


def test_a_document_of_just_two_mebibytes_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes(b"x" * LARGEST)
    assert len(read_documents([str(tmp_path / "notes.md")])[0].text) == LARGEST


def test_an_absent_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match=r"absent.md: there is no such document"):
        read_documents([str(tmp_path / "absent.md")])
    with pytest.raises(NotPublished, match=r"the folder has no"):
        read_documents([str(tmp_path)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("text")
    (tmp_path / "notes.md").chmod(0)
    with pytest.raises(AccessDenied, match=r"notes.md"):
        read_documents([str(tmp_path / "notes.md")])

"""The library: it holds the passages of its documents and no others, and embeds only new ones."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taxi_platform.assistant.documents import Document
from taxi_platform.assistant.model import ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.assistant.retrieval import Changes, Library

MAPS = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to ten.")
FARES = Document("fares.md", "# Fares\nBy the mile.")


class Compass:
    """A model whose vectors say which of three words a text holds, and which can be down."""

    name = "none"
    embedding_name = "compass"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.capacity = 1_000

    def answer(self, prompt: Prompt) -> str:
        raise NotImplementedError

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        if len(self.embedded) + len(texts) > self.capacity:
            raise ModelUnreachable("compass", "down")
        self.embedded += texts
        return [[float(word in text) for word in ("Maps", "Scales", "Fares")] for text in texts]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "new folder" / "library.duckdb")


def test_an_empty_library_finds_nothing(library: Library) -> None:
    assert library.passages() == []
    assert library.search("Maps", 3, Compass()) == []


def test_ingesting_twice_changes_nothing(library: Library) -> None:
    assert library.ingest([MAPS, FARES]) == Changes(passages=3, added=3, dropped=0)
    assert library.ingest([MAPS, FARES]) == Changes(passages=3, added=0, dropped=0)
    assert [each.title for each in library.passages()] == ["Maps", "Scales", "Fares"]


def test_a_changed_document_replaces_its_passages_and_a_dropped_one_is_gone(library: Library) -> None:
    library.ingest([MAPS, FARES])
    changed = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to a hundred.")
    assert library.ingest([changed]) == Changes(passages=2, added=1, dropped=2)
    assert [each.text for each in library.passages()] == ["Of the zones.", "One to a hundred."]


def test_only_passages_that_the_model_has_not_seen_are_embedded(library: Library) -> None:
    model = Compass()
    library.ingest([MAPS])
    assert library.embed(model) == 2
    library.ingest([MAPS, FARES])
    assert library.embed(model) == 1
    assert library.embed(model) == 0
    assert len(model.embedded) == 3


def test_the_vector_of_a_dropped_passage_is_dropped_too(library: Library) -> None:
    model = Compass()
    library.ingest([FARES])
    library.embed(model)
    library.ingest([MAPS])
    assert library.search("Fares", 9, model) == []
    library.ingest([FARES])
    assert library.embed(model) == 1


def test_vectors_stored_before_the_model_failed_are_kept(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.assistant.retrieval.BATCH", 1)
    model = Compass()
    model.capacity = 2
    library.ingest([MAPS, FARES])
    with pytest.raises(ModelUnreachable):
        library.embed(model)
    model.capacity = 3
    assert library.embed(model) == 1


def test_the_nearest_passages_come_first_and_distant_ones_are_left_out(library: Library) -> None:
    model = Compass()
    library.ingest([MAPS, FARES])
    library.embed(model)
    found = library.search("Maps and Scales", 3, model)
    assert [(each.passage.title, each.score) for each in found] == [("Maps", 0.707), ("Scales", 0.707)]


def test_vectors_of_another_model_are_not_compared(library: Library) -> None:
    another = Compass()
    another.embedding_name = "another"
    library.ingest([FARES])
    library.embed(another)
    assert library.search("Fares", 3, Compass()) == []
    assert len(library.search("Fares", 3, another)) == 1


def test_concurrent_calls_wait_for_each_other(library: Library) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: library.ingest([MAPS, FARES]), range(8)))
    assert len(library.passages()) == 3

"""The library: it holds the passages of its documents and no others, and embeds only new ones."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taxi_platform.assistant.documents import Document
from taxi_platform.assistant.model import ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.assistant.retrieval import Library

MAPS = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to ten.")
FARES = Document("fares.md", "# Fares\nBy the mile.")


class Compass:
    """A model whose vectors show which of three words a text contains; it can be unreachable."""

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
def model() -> Compass:
    return Compass()


@pytest.fixture
def library(tmp_path: Path, model: Compass) -> Library:
    return Library(tmp_path / "new folder" / "library.duckdb", model)


def test_an_empty_library_finds_nothing(library: Library) -> None:
    assert library.passages() == []
    assert library.search("Maps", 3) == []


def test_ingesting_twice_changes_nothing(library: Library) -> None:
    assert library.ingest([MAPS, FARES]) == {"passages": 3, "added": 3, "dropped": 0}
    assert library.ingest([MAPS, FARES]) == {"passages": 3, "added": 0, "dropped": 0}
    assert [each.title for each in library.passages()] == ["Maps", "Scales", "Fares"]


def test_a_changed_document_replaces_its_passages_and_a_dropped_one_is_gone(library: Library) -> None:
    library.ingest([MAPS, FARES])
    changed = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to a hundred.")
    assert library.ingest([changed]) == {"passages": 2, "added": 1, "dropped": 2}
    assert [each.text for each in library.passages()] == ["Of the zones.", "One to a hundred."]


def test_only_passages_that_the_model_has_not_seen_are_embedded(library: Library, model: Compass) -> None:
    library.ingest([MAPS])
    assert library.embed() == 2
    library.ingest([MAPS, FARES])
    assert library.embed() == 1
    assert library.embed() == 0
    assert len(model.embedded) == 3


def test_the_vector_of_a_dropped_passage_is_dropped_too(library: Library) -> None:
    library.ingest([FARES])
    library.embed()
    library.ingest([MAPS])
    assert library.search("Fares", 9) == []
    library.ingest([FARES])
    assert library.embed() == 1


def test_vectors_stored_before_the_model_failed_are_kept(
    library: Library, model: Compass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxi_platform.assistant.retrieval.BATCH", 1)
    model.capacity = 2
    library.ingest([MAPS, FARES])
    with pytest.raises(ModelUnreachable):
        library.embed()
    model.capacity = 3
    assert library.embed() == 1


def test_the_nearest_passages_come_first_and_distant_ones_are_left_out(library: Library) -> None:
    library.ingest([MAPS, FARES])
    library.embed()
    found = library.search("Maps and Scales", 3)
    assert [(each.passage.title, each.score) for each in found] == [("Maps", 0.707), ("Scales", 0.707)]


def test_vectors_of_another_model_are_not_compared(library: Library) -> None:
    another = Library(library.path, Compass())
    another.model.embedding_name = "another"
    library.ingest([FARES])
    another.embed()
    assert library.search("Fares", 3) == []
    assert len(another.search("Fares", 3)) == 1


def test_concurrent_calls_wait_for_each_other(library: Library) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: library.ingest([MAPS, FARES]), range(4)))
    assert len(library.passages()) == 3

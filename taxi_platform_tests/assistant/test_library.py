"""The library: it holds the passages of its documents and no others, and embeds only what it has not seen."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from taxi_platform.assistant.documents import Document
from taxi_platform.assistant.model import ModelUnreachable, Prompt, Purpose, Vector
from taxi_platform.assistant.retrieval import Changes, Library, SemanticRetriever, embed_missing

MAPS = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to ten.")
FARES = Document("fares.md", "# Fares\nBy the mile.")


class Compass:
    """A model whose vectors say which of three words a text holds, and which can be out of order."""

    name = "none"
    embedding_name = "compass"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.capacity = 1_000

    def answer(self, prompt: Prompt) -> str:
        raise NotImplementedError

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        if len(self.embedded) + len(texts) > self.capacity:
            raise ModelUnreachable("compass", "out of order")
        self.embedded += texts
        return [[float(word in text) for word in ("Maps", "Scales", "Fares")] for text in texts]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "new folder" / "library.duckdb")


def test_an_empty_library_has_nothing_to_find(library: Library) -> None:
    assert library.passages() == []
    assert SemanticRetriever(library, Compass()).search("Maps", 3) == []


def test_ingesting_twice_changes_nothing(library: Library) -> None:
    assert library.ingest([MAPS, FARES]) == Changes(passages=3, added=3, dropped=0)
    assert library.ingest([MAPS, FARES]) == Changes(passages=3, added=0, dropped=0)
    assert [one.title for one in library.passages()] == ["Maps", "Scales", "Fares"]


def test_a_changed_document_replaces_its_passages_and_a_dropped_one_is_gone(library: Library) -> None:
    library.ingest([MAPS, FARES])
    changed = Document("maps.md", "# Maps\nOf the zones.\n# Scales\nOne to a hundred.")
    assert library.ingest([changed]) == Changes(passages=2, added=1, dropped=2)
    assert [one.text for one in library.passages()] == ["Of the zones.", "One to a hundred."]


def test_only_passages_that_the_model_has_not_seen_are_embedded(library: Library) -> None:
    model = Compass()
    library.ingest([MAPS])
    assert embed_missing(library, model) == 2
    library.ingest([MAPS, FARES])
    assert embed_missing(library, model) == 1
    assert embed_missing(library, model) == 0
    assert len(model.embedded) == 3


def test_the_vector_of_a_dropped_passage_is_dropped_too(library: Library) -> None:
    model = Compass()
    library.ingest([FARES])
    embed_missing(library, model)
    library.ingest([MAPS])
    assert library.nearest("compass", [0, 0, 1], 9) == []
    library.ingest([FARES])
    assert [one.title for one in library.without_vector("compass")] == ["Fares"]


def test_vectors_stored_before_the_model_failed_are_kept(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.assistant.retrieval.BATCH", 1)
    model = Compass()
    model.capacity = 2
    library.ingest([MAPS, FARES])
    with pytest.raises(ModelUnreachable):
        embed_missing(library, model)
    assert [one.title for one in library.without_vector("compass")] == ["Fares"]


def test_the_nearest_passage_comes_first_and_what_is_far_does_not_come(library: Library) -> None:
    model = Compass()
    library.ingest([MAPS, FARES])
    embed_missing(library, model)
    found = SemanticRetriever(library, model).search("Maps and Scales", 3)
    assert [(one.passage.title, one.score) for one in found] == [("Maps", 0.707), ("Scales", 0.707)]


def test_vectors_of_another_model_are_not_compared(library: Library) -> None:
    library.ingest([FARES])
    library.remember("another", library.passages(), [[0.0, 0.0, 1.0]])
    assert library.nearest("compass", [0.0, 0.0, 1.0], 3) == []


def test_many_at_once_wait_for_each_other(library: Library) -> None:
    failures: list[Exception] = []

    def ingest() -> None:
        try:
            library.ingest([MAPS, FARES])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ingest) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(library.passages()) == 3

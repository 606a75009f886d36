"""Retrieval by meaning: the question's vector beside those of the passages."""

from taxi_platform.assistant.library import Library
from taxi_platform.assistant.model import LanguageModel
from taxi_platform.assistant.retrieval import Found

# Cosine below which a passage is about something else. Gemini's vectors lie close together, unrelated texts at about
# 0.5; what slips through is caught by the model, which is told to say when the passages lack the answer.
NEAR = 0.55
BATCH = 100  # passages embedded before they are kept, so that a killed run has lost one request


class SemanticRetriever:
    """Finds the passages of a library whose meaning is nearest to a question's.

    Args:
        library: whose passages are embedded.
        model: the model that embedded them.
    """

    def __init__(self, library: Library, model: LanguageModel) -> None:
        self._library = library
        self._model = model

    def search(self, question: str, count: int) -> list[Found]:
        """The nearest passages first, as ``Retriever.search`` promises. A score is a cosine."""
        (vector,) = self._model.embed([question], "question")
        found = self._library.nearest(self._model.embedding_name, vector, count)
        return [one for one in found if one.score >= NEAR]


def embed_missing(library: Library, model: LanguageModel) -> int:
    """Embed the passages that the model has not seen, and return how many these were.

    Raises:
        ModelUnreachable, ModelRefused: see ``LanguageModel``; what was embedded until then is kept.
    """
    missing = library.without_vector(model.embedding_name)
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        library.remember(model.embedding_name, batch, model.embed([one.searchable for one in batch], "passage"))
    return len(missing)

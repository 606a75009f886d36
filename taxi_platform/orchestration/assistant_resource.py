"""The assistant as a Dagster resource: its model, its library, and how passages are found."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, SecretStr

if TYPE_CHECKING:
    from taxi_platform.assistant.model import LanguageModel
    from taxi_platform.assistant.retrieval import Library, Retriever


class AssistantResource(dg.ConfigurableResource["AssistantResource"]):
    """A language model and a library of documents; without a key, passages are found by words."""

    gemini_api_key: str = Field(default="", description="The key of Google's Gemini; empty to stay offline.")
    chat_model: str = Field(description="The model that answers.")
    embedding_model: str = Field(description="The model that embeds documents.")
    file: str = Field(description="The DuckDB file of passages and embeddings.")

    def model(self) -> "LanguageModel | None":
        """Return the model, or None if there is no key for it."""
        if not self.gemini_api_key:
            return None
        from taxi_platform.assistant.gemini import Gemini

        return Gemini(SecretStr(self.gemini_api_key), self.chat_model, self.embedding_model)

    def library(self) -> "Library":
        """Return the passages and their vectors."""
        from taxi_platform.assistant.retrieval import Library

        return Library(Path(self.file))

    def retriever(self) -> "Retriever":
        """Return a retriever by meaning, or without a model, by words."""
        from taxi_platform.assistant.retrieval import LexicalRetriever, SemanticRetriever

        model = self.model()
        return SemanticRetriever(self.library(), model) if model else LexicalRetriever(self.library().passages())

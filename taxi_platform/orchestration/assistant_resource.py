"""The assistant as a Dagster resource: which model, which library, which way of retrieval."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, SecretStr

if TYPE_CHECKING:
    from taxi_platform.assistant.library import Library
    from taxi_platform.assistant.model import LanguageModel
    from taxi_platform.assistant.retrieval import Retriever


class AssistantResource(dg.ConfigurableResource["AssistantResource"]):
    """A language model and a library of documents; without a key, retrieval by words alone."""

    gemini_api_key: str = Field(default="", description="The key of Google's Gemini; empty to stay offline.")
    chat_model: str = Field(description="The model that answers.")
    embedding_model: str = Field(description="The model that embeds documents.")
    file: str = Field(description="The DuckDB file of passages and embeddings.")

    def model(self) -> "LanguageModel | None":
        """The model, if there is a key for one."""
        if not self.gemini_api_key:
            return None
        from taxi_platform.assistant.gemini import Gemini

        return Gemini(SecretStr(self.gemini_api_key), self.chat_model, self.embedding_model)

    def library(self) -> "Library":
        """The passages and their vectors."""
        from taxi_platform.assistant.library import Library

        return Library(Path(self.file))

    def retriever(self) -> "Retriever":
        """By meaning where there is a model, else by words."""
        model = self.model()
        if model:
            from taxi_platform.assistant.semantic import SemanticRetriever

            return SemanticRetriever(self.library(), model)
        from taxi_platform.assistant.lexical import LexicalRetriever

        return LexicalRetriever(self.library().passages())

"""The course's flows 10 and 11: documents, their index, and a question answered without and with them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.assistant.answers import OFFLINE, Answer, answer_from_documents, answer_without_documents
from taxi_platform.assistant.documents import read_documents
from taxi_platform.assistant.retrieval import Library
from taxi_platform.defs.trips import OWNERS
from taxi_platform.orchestration.links import COURSE, GEMINI, links
from taxi_platform.orchestration.monthly_io import errors_as_failures

AssistantResource = dg.ResourceParam[Library]

GROUP = "assistant"
LINKS = links("assistant.md", model=GEMINI, course=COURSE)
QUESTION = "Which features came with version 0.1 of taxi_platform? Name at least five of them."


class Documents(dg.Config):
    """The documents to answer from."""

    documents: list[str] = Field(
        default=["CHANGELOG.md", "README.md", "docs"],
        description="URLs, files and folders, Markdown, text or HTML; relative ones start at the project's folder.",
    )


class Question(dg.Config):
    """The question to answer."""

    question: str = Field(default=QUESTION, description="At most 4,000 characters.")


@dg.asset(group_name=GROUP, owners=OWNERS, kinds={"markdown", "duckdb"}, metadata=LINKS)
def release_notes(config: Documents, assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Cut documents at their headings into passages, and drop passages that no document has any more."""
    with errors_as_failures():
        documents = read_documents(config.documents)
        counts = assistant.ingest(documents)
    listed = dg.MetadataValue.md("\n".join(f"- {document.location}" for document in documents))
    return dg.MaterializeResult(metadata={"documents": listed, **counts})


@dg.asset(deps=[release_notes], group_name=GROUP, owners=OWNERS, kinds={"gemini", "duckdb"}, metadata=LINKS)
def document_index(assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Embed each passage. Without a model passages have no vectors and are found by words."""
    with errors_as_failures():
        embedded = assistant.embed()
    by = assistant.model.embedding_name if assistant.model else OFFLINE
    return dg.MaterializeResult(metadata={"embedded": embedded, "by": by})


@dg.asset(group_name=GROUP, owners=OWNERS, kinds={"gemini"}, metadata=LINKS)
def answer_without_rag(config: Question, assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Ask the model without any documents. The answer may be out of date or invented."""
    return _answered(lambda: answer_without_documents(config.question, assistant.model))


@dg.asset(deps=[document_index], group_name=GROUP, owners=OWNERS, kinds={"gemini", "duckdb"}, metadata=LINKS)
def answer_with_rag(config: Question, assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Answer from the documents, and cite the passages by number, link and score."""
    return _answered(lambda: answer_from_documents(config.question, assistant.search, assistant.model))


def _answered(ask: Callable[[], Answer]) -> dg.MaterializeResult[Any]:
    started = time.monotonic()
    with errors_as_failures():
        answer = ask()
    metadata = {
        "question": answer.question,
        "answer": dg.MetadataValue.md(answer.markdown),
        "by": answer.by,
        "passages": len(answer.sources),
        "seconds": round(time.monotonic() - started, 3),
    }
    return dg.MaterializeResult(metadata=metadata)


@dg.config_mapping
def _the_same_question(config: Question) -> Mapping[str, Any]:
    asked = {"config": {"question": config.question}}
    return {"ops": {"answer_without_rag": asked, "answer_with_rag": asked}}


@dg.definitions
def assistant() -> dg.Definitions:
    """Return the four assets and the job ``chat`` that makes all of them."""
    assets = [release_notes, document_index, answer_without_rag, answer_with_rag]
    chat = dg.define_asset_job(
        "chat",
        selection=assets,
        config=_the_same_question,
        description="Ask one question without and with the documents.",
    )
    return dg.Definitions(assets=assets, jobs=[chat])

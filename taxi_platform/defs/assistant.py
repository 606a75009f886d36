"""The assets and the job of the assistant: documents, their index, and a question answered without and with them.

These are the course's flows 10 and 11.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.trips import OWNERS
from taxi_platform.orchestration.links import COURSE, GEMINI, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.resources import AssistantResource

if TYPE_CHECKING:
    from taxi_platform.assistant.answers import Answer

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
def release_notes(
    context: dg.AssetExecutionContext, config: Documents, assistant: AssistantResource
) -> dg.MaterializeResult[Any]:
    """Cut documents at their headings into passages, and drop passages that no document has any more."""
    from taxi_platform.assistant.documents import read_documents

    with errors_as_failures():
        documents = read_documents(config.documents)
        changes = assistant.library().ingest(documents)
    return dg.MaterializeResult(
        metadata={
            "documents": dg.MetadataValue.md("\n".join(f"- {document.location}" for document in documents)),
            "passages": changes.passages,
            "added": changes.added,
            "dropped": changes.dropped,
        }
    )


@dg.asset(deps=[release_notes], group_name=GROUP, owners=OWNERS, kinds={"gemini", "duckdb"}, metadata=LINKS)
def document_index(assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Embed each passage. Without a model passages have no vectors and are found by words."""
    from taxi_platform.assistant.answers import OFFLINE

    model = assistant.model()
    with errors_as_failures():
        embedded = assistant.library().embed(model) if model else 0
    return dg.MaterializeResult(metadata={"embedded": embedded, "by": model.embedding_name if model else OFFLINE})


@dg.asset(group_name=GROUP, owners=OWNERS, kinds={"gemini"}, metadata=LINKS)
def answer_without_rag(config: Question, assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Ask the model without any documents. The answer may be out of date or invented."""
    from taxi_platform.assistant.answers import answer_without_documents

    started = time.monotonic()
    with errors_as_failures():
        answer = answer_without_documents(config.question, assistant.model())
    return dg.MaterializeResult(metadata=_metadata(answer, started))


@dg.asset(deps=[document_index], group_name=GROUP, owners=OWNERS, kinds={"gemini", "duckdb"}, metadata=LINKS)
def answer_with_rag(config: Question, assistant: AssistantResource) -> dg.MaterializeResult[Any]:
    """Answer from the documents, and cite the passages by number, link and score."""
    from taxi_platform.assistant.answers import answer_from_documents

    started = time.monotonic()
    with errors_as_failures():
        answer = answer_from_documents(config.question, assistant.search(), assistant.model())
    return dg.MaterializeResult(metadata=_metadata(answer, started))


@dg.config_mapping
def _the_same_question(config: Question) -> Mapping[str, Any]:
    asked = {"config": {"question": config.question}}
    return {"ops": {"answer_without_rag": asked, "answer_with_rag": asked}}


chat = dg.define_asset_job(
    "chat",
    selection=[release_notes, document_index, answer_without_rag, answer_with_rag],
    config=_the_same_question,
    description="Ask one question without and with the documents.",
)


@dg.definitions
def assistant() -> dg.Definitions:
    """Return the four assets and the job ``chat`` that makes all of them."""
    return dg.Definitions(assets=[release_notes, document_index, answer_without_rag, answer_with_rag], jobs=[chat])


def _metadata(answer: "Answer", started: float) -> dict[str, Any]:
    return {
        "question": answer.question,
        "answer": dg.MetadataValue.md(answer.markdown),
        "by": answer.by,
        "passages": len(answer.sources),
        "seconds": round(time.monotonic() - started, 3),
    }

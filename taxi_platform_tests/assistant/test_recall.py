"""How well a search by words finds answers in this project's documents: users' questions, and where the answers are."""

import pytest

from taxi_platform.assistant.documents import passages_of, read_documents
from taxi_platform.assistant.retrieval import LexicalRetriever

# Every place that answers the question counts; a page's name alone stands for any of its passages.
QUESTIONS = {
    "Which command opens the web UI?": ["README.md#everyday-commands"],
    "How do I load a year in one run?": ["README.md#everyday-commands", "docs/backfills.md"],
    "How do I stop the embedded PostgreSQL?": ["README.md#everyday-commands"],
    "What is in tripdata_files?": ["README.md#the-assets", "docs/loading.md"],
    "How can I read the trips with pandas?": ["README.md#reading-the-trips"],
    "What do pgAdmin and DBeaver need to connect?": ["README.md#reading-the-trips"],
    "What is the default of TAXI_ON_BAD_ROWS?": ["docs/settings.md"],
    "Which variable sets the time zone of the schedules?": ["docs/settings.md", "docs/triggers.md#schedules"],
    "Why are the tables partitioned by filename?": ["docs/architecture.md#decisions"],
    "Why is there no asset retry policy?": ["docs/architecture.md#decisions", "docs/operations.md"],
    "Why do runs use the in-process executor?": ["docs/architecture.md#decisions"],
    "What belongs in services.py?": ["docs/architecture.md#modules"],
    "Which features came with version 0.1?": ["CHANGELOG.md#version-01"],
    "What does NotPublished mean?": ["docs/loading.md#the-errors"],
    "What should I do about a SchemaMismatch?": ["docs/loading.md#the-errors"],
    "Is 1.0 accepted as an integer?": ["docs/loading.md#what-is-accepted-and-what-is-not"],
    "What happens with quotes and blank lines in a file?": ["docs/loading.md"],
    "What remains when a load is killed half-way?": ["docs/loading.md#killed-half-way"],
    "How fast is a load compared with psql?": ["docs/performance.md"],
    "How much memory does a load need?": ["docs/performance.md"],
    "How do I backfill only the failed months?": ["docs/backfills.md"],
    "What does --newest-first do?": ["docs/backfills.md#taxi-backfill"],
    "What do the letters in taxi status mean?": ["docs/backfills.md#taxi-status"],
    "When does the green schedule tick?": ["docs/triggers.md"],
    "What happens to a month that is not published yet?": ["docs/triggers.md", "docs/runbook.md"],
    "Where does a dropped file go when it is damaged?": ["docs/triggers.md#the-landing-place"],
    "How am I told of failed runs?": ["docs/troubleshooting.md#alerts"],
    "Which exit status has taxi doctor?": ["docs/troubleshooting.md"],
    "Where does Dagster keep its state?": ["docs/operations.md#state"],
    "What is sent to Google with a key?": ["docs/assistant.md#what-is-kept-and-what-is-sent"],
}
UNRELATED = [
    "What is the capital of France?",
    "Who won the football world cup in 2018?",
    "How do I bake bread with rye flour?",
    "Explain quantum entanglement to a child",
    "When was Mozart born?",
]


@pytest.fixture(scope="module")
def retriever() -> LexicalRetriever:
    documents = read_documents(["CHANGELOG.md", "README.md", "docs"])
    return LexicalRetriever([passage for document in documents for passage in passages_of(document)])


def test_nine_of_ten_questions_find_their_answer_among_three_passages(retriever: LexicalRetriever) -> None:
    def is_found(question: str, places: list[str]) -> bool:
        return any(one.passage.link.startswith(tuple(places)) for one in retriever.search(question, 3))

    missed = [question for question, places in QUESTIONS.items() if not is_found(question, places)]
    recall = 1 - len(missed) / len(QUESTIONS)
    assert recall >= 0.9, f"recall@3 is {recall:.2f}; missed: {missed}"


@pytest.mark.parametrize("question", UNRELATED)
def test_a_question_about_something_else_finds_nothing(question: str, retriever: LexicalRetriever) -> None:
    assert retriever.search(question, 3) == []

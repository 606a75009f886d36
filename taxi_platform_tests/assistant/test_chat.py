"""The chat's assets, run by Dagster: with a model over HTTP, and offline."""

from pathlib import Path

import pytest

from taxi_platform_tests.support.asset_runs import Platform, Run
from taxi_platform_tests.support.gemini_server import GeminiServer, refused
from taxi_platform_tests.support.trip_server import TripServer

ASSETS = ("release_notes", "document_index", "answer_without_rag", "answer_with_rag")
NOTES = "# Notes\n## Fares\nBy the mile.\n## Zones\nThere are 265 zones.\n"
QUESTION = "How many zones are there?"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.md"
    path.write_text(NOTES)
    return path


def chat(platform: Platform, *documents: str, question: str = QUESTION) -> Run:
    asked = {"question": question}
    config = {
        "release_notes": {"documents": list(documents)},
        "answer_without_rag": asked,
        "answer_with_rag": asked,
    }
    return platform.run(*ASSETS, config=config)


def test_offline_the_whole_graph_works_and_says_that_it_is_offline(platform: Platform, notes: Path) -> None:
    platform.use(GEMINI_API_KEY="")
    run = chat(platform, str(notes))
    assert run.succeeded
    answer = run.of("answer_with_rag")
    assert answer["answer"].startswith("- There are 265 zones. [1]\n")
    assert "offline (no GEMINI_API_KEY)" in answer["answer"]
    assert f"[Notes / Zones]({notes}#zones)" in answer["answer"]
    assert run.of("document_index") == {"embedded": 0, "by": "offline (no GEMINI_API_KEY)"}


def test_with_a_key_the_model_answers_once_without_and_once_with_the_passages(
    platform: Platform, notes: Path, gemini: GeminiServer
) -> None:
    platform.use(GEMINI_API_KEY="k-123")
    run = chat(platform, str(notes))
    assert run.succeeded
    assert run.of("document_index") == {"embedded": 2, "by": "gemini-embedding-001"}
    assert run.of("answer_with_rag")["answer"].startswith("There are 265 [1].\n\n*Answered by gemini-2.5-flash.*")
    prompts = [
        request.body["contents"][0]["parts"][0]["text"]
        for request in gemini.requests
        if request.path.endswith("generateContent")
    ]
    assert sorted("265" in text for text in prompts) == [False, True]


def test_a_second_run_embeds_only_what_has_changed(platform: Platform, notes: Path, gemini: GeminiServer) -> None:
    platform.use(GEMINI_API_KEY="k-123")
    chat(platform, str(notes))
    notes.write_text(NOTES.replace("265", "266"))
    run = chat(platform, str(notes))
    release = run.of("release_notes")
    assert (release["passages"], release["added"], release["dropped"]) == (2, 1, 1)
    assert run.of("document_index")["embedded"] == 1


def test_documents_come_from_a_server_too(platform: Platform, server: TripServer) -> None:
    server.publish("/notes.md", NOTES.encode())
    platform.use(GEMINI_API_KEY="")
    run = chat(platform, f"{server.url}/notes.md")
    assert f"({server.url}/notes.md#zones)" in run.of("answer_with_rag")["answer"]


@pytest.mark.parametrize(
    ("document", "question", "reason"),
    [
        ("absent.md", QUESTION, "absent.md: there is no such document"),
        ("{server}/absent.md", QUESTION, "answers 404"),
        ("{notes}", "", "the question: it is empty"),
    ],
    ids=["no file", "no page", "no question"],
)
def test_errors_say_what_is_wrong(
    document: str, question: str, reason: str, platform: Platform, notes: Path, server: TripServer
) -> None:
    platform.use(GEMINI_API_KEY="")
    run = chat(platform, document.format(server=server.url, notes=notes), question=question)
    failures = [event.step_failure_data.user_failure_data for event in run.result.get_step_failure_events()]
    assert not run.succeeded
    assert all(failure and reason in (failure.description or "") for failure in failures)


def test_the_key_is_in_no_output_and_no_file_of_a_run(
    platform: Platform, notes: Path, gemini: GeminiServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gemini.answers.append(refused(400, "INVALID_ARGUMENT", "API key not valid."))
    platform.use(GEMINI_API_KEY="k-secret-123")
    run = chat(platform, str(notes))
    assert not run.succeeded
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    output = "".join([*(str(entry) for entry in run.log), *capfd.readouterr()])
    assert "the key is not accepted" in output
    assert "k-secret-123" not in output
    assert b"k-secret-123" not in files

"""The command ``taxi ask``: with a model over HTTP, whose statement runs on real tables, and offline."""

import json
import shlex
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner, Result

from taxi_platform.assistant.sql import role_of
from taxi_platform.cli.main import taxi
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.gemini_server import GeminiServer, Response, refused, reply_with

COMMAND = 'taxi ask "How many green trips in 2020-04, and why fewer rows than yellow?"'
COUNT = "select count(*) as trips from green_tripdata where filename = 'green_tripdata_2020-04.csv'"


def query(statement: str | None) -> Response:
    return reply_with(json.dumps({"statement": statement, "reason": "to count"}))


def asked(question: str = shlex.split(COMMAND)[2]) -> Result:
    return CliRunner().invoke(taxi, ["ask", question])


@pytest.fixture
def loaded(backfills: Backfills) -> Iterator[Backfills]:
    backfills.run("green_tripdata", month="2020-04")
    backfills.use(GEMINI_API_KEY="k-secret-123")
    yield backfills
    with psycopg.connect(backfills.database, autocommit=True) as connection:
        role = role_of(connection.info.dbname)
        if connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
            connection.execute(f"drop owned by {role}; drop role {role}".encode())


def test_a_question_about_data_is_answered_from_a_statement_that_is_shown(
    loaded: Backfills, gemini: GeminiServer
) -> None:
    gemini.answers += [query(COUNT), reply_with("There are 36 [1].")]
    done = asked()
    assert done.exit_code == 0, done.output
    rows = loaded.count("green_tripdata")
    assert "filename = 'green_tripdata_2020-04.csv'" in done.stdout
    assert f"read as {role_of(loaded.database.rpartition('/')[2])}:\n\n| trips" in done.stdout
    assert f"| {rows}" in done.stdout
    assert "There are 36 [1].\n\n*Answered by gemini-2.5-flash.*" in done.stdout
    writing, answering = (json.loads(request.body["contents"][0]["parts"][0]["text"]) for request in gemini.requests)
    assert writing["tables"]["public.green_tripdata"]["pulocationid"].startswith("text: The TLC taxi zone")
    assert answering["rows"] == [[str(rows)]]
    assert f"green 2020-04: materialized, {rows} rows" in answering["records"]
    assert gemini.requests[0].body["generationConfig"]["responseMimeType"] == "application/json"


def test_a_model_that_does_not_answer_is_reported_in_one_line(backfills: Backfills, gemini: GeminiServer) -> None:
    backfills.use(GEMINI_API_KEY="k-secret-123")
    gemini.answers.append(refused(400, "INVALID_ARGUMENT", "API key not valid."))
    done = asked("What is document_index made from?")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "GEMINI_API_KEY: the key is not accepted" in done.stderr.splitlines()[-1]
    assert "k-secret-123" not in done.output


@pytest.mark.parametrize("question", ["", " ", "x" * 100_000], ids=["empty", "blank", "100 kB"])
def test_an_empty_or_huge_question_is_a_usage_error(question: str, backfills: Backfills) -> None:
    done = asked(question)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: the question: it" in done.stderr


def test_offline_records_and_docs_are_quoted_and_labelled(backfills: Backfills) -> None:
    backfills.use(GEMINI_API_KEY="")
    backfills.run("green_tripdata", month="2020-04")
    done = asked()
    assert done.exit_code == 0, done.output
    assert "There is no GEMINI_API_KEY: the docs, the asset graph and the records are quoted." in done.stderr
    assert f"- green 2020-04: materialized, {backfills.count('green_tripdata')} rows\n- yellow 2020-04: missing" in (
        done.stdout
    )
    assert "- `yellow_tripdata`: Trips of yellow taxis, which may be hailed anywhere in New York City." in done.stdout
    assert "*Answered by offline (no GEMINI_API_KEY).*" in done.stdout


def test_without_a_database_the_docs_and_the_graph_still_answer(
    backfills: Backfills, monkeypatch: pytest.MonkeyPatch, gemini: GeminiServer
) -> None:
    backfills.use(GEMINI_API_KEY="k-123", TAXI_POSTGRES_URL="postgresql://taxi@127.0.0.1:1/ny_taxi")
    gemini.answers.append(reply_with("It is made from release_notes [1]."))
    done = asked("What is document_index made from?")
    assert done.exit_code == 0, done.output
    assert "The tables could not be read, so this is what Dagster recorded." in done.stderr
    assert "The trips cannot be queried. PostgreSQL at 127.0.0.1:1" in done.stderr
    assert "[1] | [Asset document_index](http://127.0.0.1:3000/assets/document_index)" in done.stdout

"""``taxi ask``: answers a question about the platform, and shows the statement that was run for it."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from taxi_platform.errors import TaxiError
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from taxi_platform.assistant.sql import Reader, Rows

Say = Callable[[str], object]
SHOWN = 20  # rows: what fits on a screen; the model gets a hundred


def run_ask(question: str, say: Say, aside: Say) -> None:
    """Answer a question about the platform.

    Args:
        question: in words.
        say: prints the statement, its rows and the answer.
        aside: prints remarks.

    Raises:
        QuestionRefused: the question is empty or longer than a page.
        ModelUnreachable: the model does not answer.
        ModelRefused: the model refuses to answer.
        StatementRefused: neither the model's statement nor its corrected one could be run.
    """
    from taxi_platform.assistant import gemini
    from taxi_platform.assistant.answers import check
    from taxi_platform.assistant.ask import Listener, ask
    from taxi_platform.assistant.knowledge import gather
    from taxi_platform.definitions import defs

    check(question)
    model = gemini.configured_model()
    if model is None:
        aside("There is no GEMINI_API_KEY: the docs, the asset graph and the records are quoted, no data is queried.")
    knowledge = gather(question, defs().get_repository_def())
    for remark in knowledge.remarks:
        aside(remark)
    if model is None:
        say(ask(question, knowledge, None).markdown)
        return
    with _data(aside) as data:
        listener = Listener(
            statement=lambda text: say(f"```sql\n{text}\n```\n"),
            rows=lambda rows: say(shown(rows, data.role if data else "")),
            refusal=lambda reason: aside(f"The statement is refused: {reason}. The model is asked to correct it."),
        )
        say(ask(question, knowledge, model, data, listener).markdown)


@contextmanager
def _data(aside: Say) -> "Generator[Reader | None]":
    """Open the tables of trips and models, or say why they cannot be queried."""
    from taxi_platform.assistant.sql import reader
    from taxi_platform.postgres.server import trips_server

    with ExitStack() as stack:
        data = None
        try:
            url = trips_server(settings()).address_if_used()
            data = stack.enter_context(reader(url)) if url else None
        except TaxiError as error:
            aside(f"The trips cannot be queried. {error}")
        yield data


def shown(rows: "Rows", role: str) -> str:
    """Return the rows as a table, with how many there are, how long they took and the role that read them."""
    from tabulate import tabulate

    count = f"more than {len(rows.rows)} rows" if rows.is_cut else f"{len(rows.rows)} row{'s' * (len(rows.rows) != 1)}"
    first = f", the first {SHOWN} of which" if len(rows.rows) > SHOWN else ""
    table = tabulate(rows.rows[:SHOWN], rows.columns, "github", missingval="NULL", disable_numparse=True)
    return f"{count}{first}, in {rows.seconds:.2f} s, read as {role}:\n\n{table}\n"

"""``taxi ask``: has a question about the platform answered, and shows what was done for the answer."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taxi_platform.assistant.data.rows import Rows

Say = Callable[[str], object]
SHOWN = 20  # rows: what fits on a screen; the model gets a hundred


def run_ask(question: str, say: Say, aside: Say) -> None:
    """Answer a question about the platform.

    Args:
        question: in words.
        say: where the statement, its rows and the answer go.
        aside: where remarks go.

    Raises:
        QuestionRefused, ModelUnreachable, ModelRefused, StatementRefused: see ``assistant.ask``.
    """
    from taxi_platform.assistant import surroundings
    from taxi_platform.assistant.answers import check
    from taxi_platform.assistant.ask import Listener, ask

    check(question)
    model = surroundings.model()
    if model is None:
        aside("There is no GEMINI_API_KEY, so what is known is quoted, and no statement is written for data.")
    platform = surroundings.look_around(question)
    _tell(platform.remarks, aside)
    if model is None:
        say(ask(question, platform, None).markdown)
        return
    remarks: list[str] = []
    with surroundings.data(remarks) as data:
        _tell(remarks, aside)
        listener = Listener(
            statement=lambda text: say(f"```sql\n{text}\n```\n"),
            rows=lambda rows: say(shown(rows, data.role if data else "")),
            refusal=lambda why: aside(f"The statement is not good: {why}. The model is asked to mend it."),
        )
        say(ask(question, platform, model, data, listener).markdown)


def _tell(remarks: Iterable[str], aside: Say) -> None:
    for remark in remarks:
        aside(remark)


def shown(rows: "Rows", role: str) -> str:
    """The rows as a table, with how many there are, how long they took and who read them."""
    from tabulate import tabulate

    count = f"more than {len(rows.rows)} rows" if rows.is_cut else f"{len(rows.rows)} row{'s' * (len(rows.rows) != 1)}"
    first = f", of which {SHOWN}" if len(rows.rows) > SHOWN else ""
    table = tabulate(rows.rows[:SHOWN], rows.columns, "github", missingval="NULL", disable_numparse=True)
    return f"{count}{first}, in {rows.seconds:.2f} s, read as {role}:\n\n{table}\n"

"""A question about this platform, answered from its docs, asset graph, load records and data."""

from collections.abc import Callable

from pydantic import BaseModel, Field

from taxi_platform.assistant.answers import NOT_FOUND, OFFLINE, QUOTATIONS, Answer, answer_from, check, quote
from taxi_platform.assistant.knowledge import Knowledge, assets_in, without_months
from taxi_platform.assistant.model import LanguageModel, answer_in_shape
from taxi_platform.assistant.retrieval import Found, LexicalRetriever
from taxi_platform.assistant.sql import QueryResult, Reader

FITTING = 7  # passages that a question is answered from, besides the assets that it names: two pages
SHOWN = 20  # rows: what fits on a screen; the model gets a hundred
ATTEMPTS = 2  # at a statement: the first, and a corrected one
TO_QUERY = f"""\
Write one statement for PostgreSQL that answers a question about NYC taxi trips, or the part of it that is about data.
The question comes as JSON, with the tables and with the load records of the months in question. Reply with JSON:
"statement", one SELECT without parameters, or null if no data is needed; "reason", one sentence. If "problems" are
given, they are why your previous statement was refused. A row belongs to the month of its file:
filename = 'green_tripdata_2020-04.csv' selects that month of green_tripdata; do not select by the pickup's time,
because some pickups are outside the month. Read only these tables, give every column a clear name, and let the database
count and sum instead of returning many rows.
{QUOTATIONS}"""


class Statement(BaseModel):
    """A model's reply to ``TO_QUERY``."""

    statement: str | None = Field(description="One SELECT for PostgreSQL, or null.")
    reason: str = Field(description="Why this statement, or why none, in one sentence.")


def ask(
    question: str,
    knowledge: Knowledge,
    model: LanguageModel | None,
    data: Reader | None = None,
    show: Callable[[str], object] = print,
) -> Answer:
    """Answer a question from what is known, and cite the passages that the answer rests on.

    Without a model, passages and records are quoted. ``data`` runs the model's statement, unless the tables cannot be
    queried; ``show`` is called with the statement before it is run, and with its rows, in Markdown.

    Raises:
        InvalidRequest: the question is empty or longer than a page.
        AnswerRefused: neither the first statement nor the corrected one could be run.
    """
    question = check(question)
    topic = without_months(question)
    keys = assets_in(question, [passage.title.removeprefix("Asset ") for passage in knowledge.graph])
    named = [passage for passage in knowledge.graph if passage.title in {f"Asset {key}" for key in keys}]
    fitting = LexicalRetriever([*knowledge.documents, *knowledge.graph]).search(topic, FITTING)
    found = [*(Found(passage, 1.0) for passage in named), *(each for each in fitting if each.passage not in named)]
    if model is None:
        lines = [*knowledge.records]
        lines += [f"{passage.text.splitlines()[0]} [{number}]" for number, passage in enumerate(named, start=1)]
        quoted = quote(topic, found) if found else ""
        text = "\n".join([*(f"- {line}" for line in lines), quoted]).strip()
        return Answer(question, text or NOT_FOUND, OFFLINE, found)
    queried = _query(question, knowledge, model, data, show) if data and data.schema else {}
    if not (found or queried or knowledge.records):
        return Answer(question, NOT_FOUND, model.name)
    return answer_from(question, found, model, records=list(knowledge.records), **queried)


def _query(
    question: str, knowledge: Knowledge, model: LanguageModel, data: Reader, show: Callable[[str], object]
) -> dict[str, object]:
    """Return the model's statement and its rows as material; nothing if the model says that no data is needed."""

    def run(reply: Statement) -> dict[str, object]:
        if not reply.statement:
            return {}
        show(f"```sql\n{reply.statement}\n```\n")
        rows = data.run(reply.statement)
        show(_table(rows, data.role))
        return {"statement": reply.statement, **rows.material}

    material = {"tables": data.schema, "records": list(knowledge.records), "question": question}
    return answer_in_shape(model, TO_QUERY, material, Statement, run, ATTEMPTS)


def _table(rows: QueryResult, role: str) -> str:
    """Return the rows as a table, with how many there are, how long they took and the role that read them."""
    from tabulate import tabulate

    count = f"more than {len(rows.rows)} rows" if rows.is_cut else f"{len(rows.rows)} row{'s' * (len(rows.rows) != 1)}"
    first = f", the first {SHOWN} of which" if len(rows.rows) > SHOWN else ""
    table = tabulate(rows.rows[:SHOWN], rows.columns, "github", missingval="NULL", disable_numparse=True)
    return f"{count}{first}, in {rows.seconds:.2f} s, read as {role}:\n\n{table}\n"

"""``taxi ask``: answers a question about the platform, and shows the statement that was run for it."""

import logging
from contextlib import ExitStack

import click

from taxi_platform.assistant import gemini
from taxi_platform.assistant.answers import check
from taxi_platform.assistant.ask import ask
from taxi_platform.assistant.knowledge import gather
from taxi_platform.assistant.sql import reader
from taxi_platform.definitions import defs
from taxi_platform.errors import TaxiError
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import settings

logger = logging.getLogger(__name__)


def run_ask(question: str) -> None:
    """Answer a question about the platform, with a statement on the trips if there is a model to write it."""
    check(question)
    model = gemini.configured_model(settings())
    if model is None:
        logger.info("There is no GEMINI_API_KEY: the docs, the asset graph and the records are quoted.")
    knowledge = gather(question, defs().get_repository_def())
    with ExitStack() as stack:
        data = None
        try:
            url = trips_server(settings()).address_if_used() if model else None
            data = stack.enter_context(reader(url)) if url else None
        except TaxiError as error:
            logger.warning("The trips cannot be queried. %s", error)
        click.echo(ask(question, knowledge, model, data, click.echo).markdown)

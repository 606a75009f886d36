"""``taxi new-asset``: proposes an asset, shows it and checks it in a copy of the project, which is not changed."""

import logging
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import dagster as dg

from taxi_platform.assistant import proposals
from taxi_platform.assistant.answers import check
from taxi_platform.assistant.documents import Passage
from taxi_platform.assistant.gemini import configured_model
from taxi_platform.assistant.knowledge import assets_in
from taxi_platform.assistant.model import answer_in_shape
from taxi_platform.assistant.proposals import ATTEMPTS, INSTRUCTIONS, TOOLS, Files, Proposal, files_of
from taxi_platform.assistant.retrieval import LexicalRetriever
from taxi_platform.definitions import defs
from taxi_platform.defs.resources import resources_for
from taxi_platform.settings import settings

NO_MODEL = (
    "There is no GEMINI_API_KEY, so this is a template, filled in with the table that fits the description best. "
    "Nothing but the table's name was chosen by what the description says."
)

logger = logging.getLogger(__name__)


def run_new_asset(description: str, confirm: Callable[[], object]) -> None:
    """Propose an asset; ``confirm`` is called before code that a model wrote is executed, and may raise an error."""
    description = check(description, "the description")
    proposals.require_working_copy()
    specs = list(defs().resolve_all_asset_specs())
    proposal = _template(description, specs)
    model = configured_model(settings())

    def approve(files: Files) -> None:
        for path, text in files.items():
            click.echo(f"`{path}`\n\n```python\n{text.rstrip()}\n```\n")
        if model:
            confirm()

    def checked(proposal: Proposal) -> tuple[Proposal, Path]:
        return proposal, proposals.validate(files_of(proposal), approve)

    if model is None:
        logger.info(NO_MODEL)
        by, (proposal, copy) = "a template (no GEMINI_API_KEY)", checked(proposal)
    else:
        by, context = model.name, _context(description, specs, proposal)
        proposal, copy = answer_in_shape(model, INSTRUCTIONS, context, Proposal, checked, ATTEMPTS)
    click.echo(f"{proposal.summary}\n\n*Proposed by {by}. It passes {', '.join(TOOLS)}.*\n")
    click.echo("The project is unchanged. To accept the proposal, run:\n")
    for path in files_of(proposal):
        click.echo(f"cp {copy / path} {path}")
    click.echo("\nThen add the asset's name to taxi_platform_tests/defs/test_definitions.py, which lists all of them.")


def _template(description: str, specs: list[dg.AssetSpec]) -> Proposal:
    """Return a proposal that counts the rows of the table that fits the description best."""
    candidates = {spec.key.to_user_string(): spec for spec in specs if "postgres" in spec.kinds}
    relations = {key: spec.metadata.get("dagster/relation_identifier", "") for key, spec in candidates.items()}
    tables = {key: name.partition(".")[2] for key, name in relations.items() if name.count(".") == 2}
    passages = [Passage("the asset graph", (key,), key, candidates[key].description or "") for key in tables]
    found = [each.passage.link for each in LexicalRetriever(passages).search(description, 1)]
    key = next(iter([*assets_in(description, tables), *found, *tables]))
    return proposals.template(description, key, tables[key])


def _context(description: str, specs: list[dg.AssetSpec], example: Proposal) -> Mapping[str, object]:
    """Return what a model has to know to propose an asset."""
    return {
        "description": description,
        "python": platform.python_version(),
        "dagster": dg.__version__,
        "assets": {spec.key.to_user_string(): spec.description or "" for spec in specs},
        "resources": {key: type(value).__name__ for key, value in resources_for(settings()).items()},
        "example": example.model_dump(),
    }

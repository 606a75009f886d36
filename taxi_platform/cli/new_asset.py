"""``taxi new-asset``: proposes an asset, shows it and checks it in a copy of the project, which is not changed."""

import logging
import platform
from collections.abc import Callable, Mapping

import click
import dagster as dg

from taxi_platform.assistant import validation
from taxi_platform.assistant.answers import check
from taxi_platform.assistant.documents import Passage
from taxi_platform.assistant.gemini import configured_model
from taxi_platform.assistant.knowledge import assets_in
from taxi_platform.assistant.model import answer_in_shape
from taxi_platform.assistant.proposals import (
    ATTEMPTS,
    INSTRUCTIONS,
    Files,
    Proposal,
    files_of,
    patch,
    template,
)
from taxi_platform.assistant.retrieval import LexicalRetriever
from taxi_platform.assistant.validation import Checked
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
    validation.require_working_copy()
    definitions = defs()
    known = {spec.key.to_user_string(): spec.description or "" for spec in definitions.resolve_all_asset_specs()}
    proposal = _template(description, definitions, known)
    model = configured_model()

    def approve(files: Files) -> None:
        for path, text in files.items():
            click.echo(f"`{path}`\n\n```python\n{text.rstrip()}\n```\n")
        if model:
            confirm()

    def checked(proposal: Proposal) -> tuple[Proposal, Checked]:
        return proposal, validation.validate(files_of(proposal), known, approve)

    if model is None:
        logger.info(NO_MODEL)
        by, (proposal, result) = "a template (no GEMINI_API_KEY)", checked(proposal)
    else:
        by, context = model.name, _context(description, known, proposal)
        proposal, result = answer_in_shape(model, INSTRUCTIONS, context, Proposal, checked, ATTEMPTS)
    patch_file = result.copy / "proposal.patch"
    patch_file.write_text(patch(result.files), encoding="utf-8")
    click.echo(proposal.summary)
    click.echo(f"\n*Proposed by {by}. It adds {', '.join(result.assets)}, and passes {validation.CHECKS}.*\n")
    click.echo(f"The project is unchanged. The proposal is in {result.copy}; this takes it over:\n")
    click.echo(f"git apply {patch_file}")
    click.echo("\nThen add the asset's name to taxi_platform_tests/defs/test_definitions.py, which lists all of them.")


def _template(description: str, definitions: dg.Definitions, known: Mapping[str, str]) -> Proposal:
    """Return a proposal that counts the rows of the table that fits the description best."""
    relations = {
        spec.key.to_user_string(): str(spec.metadata.get("dagster/relation_identifier", ""))
        for spec in definitions.resolve_all_asset_specs()
        if "postgres" in spec.kinds
    }
    tables = {key: relation.partition(".")[2] for key, relation in relations.items() if relation.count(".") == 2}
    passages = [Passage("the asset graph", (key,), key, known[key]) for key in tables]
    found = [each.passage.link for each in LexicalRetriever(passages).search(description, 1)]
    key = next(iter([*assets_in(description, tables), *found, *tables]))
    return template(description, key, tables[key])


def _context(description: str, known: Mapping[str, str], example: Proposal) -> dict[str, object]:
    """Return what a model has to know to propose an asset."""
    return {
        "description": description,
        "python": platform.python_version(),
        "dagster": dg.__version__,
        "assets": known,
        "resources": {key: type(value).__name__ for key, value in resources_for(settings()).items()},
        "example": example.model_dump(),
    }

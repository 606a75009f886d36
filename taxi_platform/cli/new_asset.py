"""``taxi new-asset``: proposes an asset, shows it and checks it in a copy of the project, which is not changed."""

import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.assistant.proposals import (
    Accepted,
    Checked,
    Context,
    Files,
    Proposal,
    checked_files,
    name_for,
    patch,
    propose,
    template,
)
from taxi_platform.settings import PROJECT

if TYPE_CHECKING:
    import dagster as dg

Say = Callable[[str], object]
NO_MODEL = (
    "There is no GEMINI_API_KEY, so this is a template, filled in with the table that fits the description best. "
    "Nothing but the table's name was chosen by what the description says."
)


def run_new_asset(description: str, say: Say, aside: Say, confirm: Callable[[], object]) -> None:
    """Propose an asset.

    Args:
        description: of the asset, in words.
        say: prints the proposal.
        aside: prints remarks.
        confirm: is called before code that a model wrote is executed; raises an error to prevent it.

    Raises:
        QuestionRefused: the description is empty or too long.
        InvalidRequest: the project's tests or tools are missing.
        ProposalRefused: no attempt passed the checks.
        ModelUnreachable: the model does not answer.
        ModelRefused: the model refuses to answer.
    """
    from taxi_platform.assistant.answers import check
    from taxi_platform.assistant.gemini import configured_model
    from taxi_platform.assistant.validation import require_working_copy
    from taxi_platform.definitions import defs

    description = check(description, "the description")
    require_working_copy()
    definitions = defs()
    known = {spec.key.to_user_string(): spec.description or "" for spec in definitions.resolve_all_asset_specs()}
    start = _template(description, definitions, known)
    model = configured_model()

    def approve(files: Files) -> None:
        for path, text in files.items():
            say(f"`{path}`\n\n```python\n{text.rstrip()}\n```\n")
        if model:
            confirm()

    copies = _Copies(list(known), approve)
    if model is None:
        aside(NO_MODEL)
        files, assets = copies.validate(checked_files(start, _exists))
        accepted = Accepted(start.summary, "a template (no GEMINI_API_KEY)", files, assets)
    else:
        accepted = propose(description, _context(known, start), model, _exists, copies.validate, aside)
    if copies.last:
        _show(accepted, copies.last, say)


class _Copies:
    """A copy of the project for each attempt, of which the last one is kept."""

    def __init__(self, known: Sequence[str], approve: Callable[[Files], object]) -> None:
        self.last: Path | None = None
        self._known = known
        self._approve = approve

    def validate(self, files: Files) -> Checked:
        from taxi_platform.assistant import validation

        if self.last:
            shutil.rmtree(self.last, ignore_errors=True)
        self.last = validation.make_copy()
        return validation.validate(files, self.last, self._known, self._approve)


def _exists(path: str) -> bool:
    return (PROJECT / path).exists()


def _template(description: str, definitions: "dg.Definitions", known: Mapping[str, str]) -> Proposal:
    from taxi_platform.assistant.documents import Passage
    from taxi_platform.assistant.knowledge import assets_in
    from taxi_platform.assistant.retrieval import LexicalRetriever

    tables = _tables(definitions)
    passages = [Passage("the asset graph", (key,), key, known[key]) for key in tables]
    found = [each.passage.link for each in LexicalRetriever(passages).search(description, 1)]
    key = next(iter([*assets_in(description, tables), *found, *tables]))
    taken = [*known, *(path.stem for path in (PROJECT / "taxi_platform/defs").iterdir())]
    return template(description, name_for(description, taken.__contains__), key, tables[key])


def _tables(definitions: "dg.Definitions") -> dict[str, str]:
    """Return the tables of the assets that are in the trips' database, by the assets' keys."""
    relations = {
        spec.key.to_user_string(): str(spec.metadata.get("dagster/relation_identifier", ""))
        for spec in definitions.resolve_all_asset_specs()
        if "postgres" in spec.kinds
    }
    return {key: relation.partition(".")[2] for key, relation in relations.items() if relation.count(".") == 2}


def _context(known: Mapping[str, str], example: Proposal) -> Context:
    import dagster as dg

    from taxi_platform.defs.resources import resources_for
    from taxi_platform.settings import settings

    resources = {key: type(value).__name__ for key, value in resources_for(settings()).items()}
    return Context(platform.python_version(), dg.__version__, known, resources, example.model_dump())


def _show(accepted: Accepted, copy: Path, say: Say) -> None:
    from taxi_platform.assistant.validation import CHECKS

    (copy / "proposal.patch").write_text(patch(accepted.files), encoding="utf-8")
    say(accepted.summary)
    say(f"\n*Proposed by {accepted.by}. It adds {', '.join(accepted.assets)}, and passes {CHECKS}.*\n")
    say(f"The project is unchanged. The proposal is in {copy}; this takes it over:\n")
    say(f"git apply {copy}/proposal.patch")
    say("\nThen add the asset's name to taxi_platform_tests/defs/test_definitions.py, which lists all of them.")

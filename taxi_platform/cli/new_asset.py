"""``taxi new-asset``: has an asset proposed, checked in a copy of the project, and shown; changes nothing."""

import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.assistant.proposals.files import Proposal, checked_files
from taxi_platform.assistant.proposals.propose import Accepted, Checked, Context, Files, propose
from taxi_platform.assistant.proposals.template import name_for, template
from taxi_platform.settings import PROJECT

if TYPE_CHECKING:
    import dagster as dg

Say = Callable[[str], object]
EXECUTES = (
    "Proposed code is executed to see whether it loads and passes its test: in a copy of the project, in processes of "
    "its own without your settings and secrets, with a time limit. This is no sandbox: it may do what you may do."
)
NO_MODEL = (
    "There is no GEMINI_API_KEY, so this is a template, filled in with the table that fits the description best; "
    "nobody has understood what it says."
)


def run_new_asset(description: str, say: Say, aside: Say) -> None:
    """Propose an asset.

    Args:
        description: what it shall be, in words.
        say: where the proposal goes.
        aside: where remarks go.

    Raises:
        QuestionRefused: the description is empty or too long.
        InvalidRequest: the project's tests or tools are not there.
        ProposalRefused, ModelUnreachable, ModelRefused: see ``propose``.
    """
    from taxi_platform.assistant import surroundings
    from taxi_platform.assistant.answers import check
    from taxi_platform.assistant.proposals.validation import require_working_copy
    from taxi_platform.definitions import defs

    description = check(description, "the description")
    require_working_copy()
    definitions = defs()
    known = {spec.key.to_user_string(): spec.description or "" for spec in definitions.resolve_all_asset_specs()}
    start = _template(description, definitions, known)
    model = surroundings.model()
    aside(EXECUTES)
    copies = _Copies(list(known))
    if model is None:
        aside(NO_MODEL)
        files, assets = copies.validate(checked_files(start, _exists))
        accepted = Accepted(start.summary, "a template (no GEMINI_API_KEY)", files, assets)
    else:
        accepted = propose(description, _context(known, definitions, start), model, _exists, copies.validate, aside)
    _show(accepted, copies.last, say)


class _Copies:
    """A copy of the project for each attempt, of which the last one stays."""

    def __init__(self, known: Sequence[str]) -> None:
        self.last: Path | None = None
        self._known = known

    def validate(self, files: Files) -> Checked:
        from taxi_platform.assistant.proposals.validation import make_copy, validate

        if self.last:
            shutil.rmtree(self.last, ignore_errors=True)
        self.last = make_copy()
        return validate(files, self.last, self._known)


def _exists(path: str) -> bool:
    return (PROJECT / path).exists()


def _template(description: str, definitions: "dg.Definitions", known: Mapping[str, str]) -> Proposal:
    from taxi_platform.assistant.lexical import LexicalRetriever
    from taxi_platform.assistant.mentions import assets_in
    from taxi_platform.assistant.passages import Passage

    tables = _tables(definitions)
    passages = [Passage("the asset graph", (key,), key, known[key]) for key in tables]
    found = [one.passage.link for one in LexicalRetriever(passages).search(description, 1)]
    key = next(iter([*assets_in(description, tables), *found, *tables]))
    taken = [*known, *(path.name for path in (PROJECT / "taxi_platform/defs").iterdir())]
    return template(description, name_for(description, taken.__contains__), key, tables[key])


def _tables(definitions: "dg.Definitions") -> dict[str, str]:
    """The assets that are tables of the trips' database, with their tables."""
    named = {
        spec.key.to_user_string(): str(spec.metadata.get("dagster/relation_identifier", ""))
        for spec in definitions.resolve_all_asset_specs()
        if "postgres" in spec.kinds
    }
    return {key: relation.partition(".")[2] for key, relation in named.items() if relation.count(".") == 2}


def _context(known: Mapping[str, str], definitions: "dg.Definitions", example: Proposal) -> Context:
    import dagster as dg

    resources = {key: type(value).__name__ for key, value in (definitions.resources or {}).items()}
    return Context(platform.python_version(), dg.__version__, known, resources, example.model_dump())


def _show(accepted: Accepted, copy: Path | None, say: Say) -> None:
    from taxi_platform.assistant.proposals.patch import patch
    from taxi_platform.assistant.proposals.validation import CHECKS

    if copy is None:
        return
    (copy / "proposal.patch").write_text(patch(accepted.files), encoding="utf-8")
    say(accepted.summary)
    say(f"\n*Proposed by {accepted.by}. It brings {', '.join(accepted.assets)}, and passes {CHECKS}.*\n")
    for path, text in accepted.files.items():
        say(f"`{path}`\n\n```python\n{text.rstrip()}\n```\n")
    say(f"The project is as it was. To try the proposal, look around in {copy}; to take it over:\n")
    say(f"git apply {copy}/proposal.patch")
    say("\nThen name the asset in taxi_platform_tests/defs/test_definitions.py, which knows them all.")

"""What a proposal is made of, and which files it may have. Pure, but for the question what is there already."""

import re
from collections.abc import Callable, Mapping

from pydantic import BaseModel, Field

from taxi_platform.errors import TaxiError

MOST_FILES = 6
LONGEST = 50_000  # characters of one file: far more than a file of ours has
# New modules of definitions and new tests, and nothing else: no configuration, no conftest, no folder above or beside.
_DEFINITIONS = re.compile(r"taxi_platform/defs/[a-z][a-z0-9_]*/[a-z_][a-z0-9_]*\.py")
_TEST = re.compile(r"taxi_platform_tests/(unit|integration)/test_[a-z0-9_]+\.py")


class ProposedFile(BaseModel):
    """One file, to be made."""

    path: str = Field(description="From the project's folder, with slashes.")
    text: str = Field(description="The whole file.")


class Proposal(BaseModel):
    """What a model shall reply when it is asked for an asset."""

    summary: str = Field(description="What the asset holds and how it is made, in one or two sentences.")
    files: list[ProposedFile] = Field(description="The module of definitions and its test.")


class ProposalRefused(TaxiError):
    """A proposal is not shown as good: its files may not be made, or do not hold what they promise."""


def checked_files(proposal: Proposal, exists: Callable[[str], bool]) -> Mapping[str, str]:
    """The files of a proposal by their paths.

    Args:
        proposal: as the model gave it.
        exists: whether the project has a file of this path already.

    Raises:
        ProposalRefused: one of them may not be made, or a test or the definitions are missing.
    """
    problems = [problem for one in proposal.files for problem in _problems(one, exists)]
    paths = [one.path for one in proposal.files]
    if len(paths) != len(set(paths)):
        problems.append("a path is there twice")
    if len(paths) > MOST_FILES:
        problems.append(f"there are {len(paths)} files, and at most {MOST_FILES} are taken")
    for kind, pattern in {"module of definitions": _DEFINITIONS, "test": _TEST}.items():
        if not any(pattern.fullmatch(path) for path in paths):
            problems.append(f"there is no {kind}: its path has to match {pattern.pattern}")
    if problems:
        raise ProposalRefused("the proposal", "; ".join(problems))
    return {one.path: one.text for one in proposal.files}


def _problems(one: ProposedFile, exists: Callable[[str], bool]) -> list[str]:
    if not (_DEFINITIONS.fullmatch(one.path) or _TEST.fullmatch(one.path)):
        return [f"{one.path[:200]!r} is no place for a file of a proposal"]
    if exists(one.path):
        return [f"{one.path} is there already, and nothing that is there is changed"]
    if len(one.text) > LONGEST or "\0" in one.text:
        return [f"{one.path} is no source text of at most {LONGEST:,} characters"]
    return []

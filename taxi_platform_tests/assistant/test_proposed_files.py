"""Which files a proposal may have, and the patch that makes them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.assistant.proposals import (
    Proposal,
    ProposalRefused,
    ProposedFile,
    checked_files,
    name_for,
    patch,
    template,
)

GOOD = {"taxi_platform/defs/tips.py": "x = 1\n", "taxi_platform_tests/defs/test_tips.py": "y = 2\n"}
OUTSIDE = [
    "../../x.py",
    "/etc/cron.d/x",
    "~/x.py",
    "taxi_platform/defs/../../../x.py",
    "taxi_platform/defs/tips/../../x.py",
    "taxi_platform/defs/tips/x.py",
    "taxi_platform/defs/tips.py\n",
    "taxi_platform\\defs\\tips.py",
    "taxi_platform/defs/tips.sh",
    "taxi_platform/settings.py",
    "taxi_platform/defs/__init__.py",
    "taxi_platform_tests/conftest.py",
    "taxi_platform_tests/defs/conftest.py",
    "pyproject.toml",
    ".git/hooks/pre-commit",
    "taxi_platform/defs/tïps.py",
    "",
]


def proposal(files: dict[str, str]) -> Proposal:
    return Proposal(summary="", files=[ProposedFile(path=path, text=text) for path, text in files.items()])


def test_new_definitions_and_a_new_test_may_be_made() -> None:
    assert checked_files(proposal(GOOD), lambda _: False) == GOOD


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_other_place_is_written_to(path: str) -> None:
    with pytest.raises(ProposalRefused, match="is not a path that a proposal may have"):
        checked_files(proposal({**GOOD, path: ""}), lambda _: False)


@given(st.text(st.sampled_from("./\\~ab_\n\0"), max_size=40).map(lambda end: f"taxi_platform/defs/{end}.py"))
def test_whatever_is_taken_lies_just_below_the_definitions(path: str) -> None:
    try:
        checked_files(proposal({**GOOD, path: ""}), lambda _: False)
    except ProposalRefused:
        return
    assert len(Path(path).parts) == 3
    assert Path("/project", path).resolve() == Path("/project", path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no module of definitions"),
        ({"taxi_platform/defs/tips.py": ""}, "there is no test"),
        ({**GOOD, "taxi_platform/defs/big.py": "#" * 60_000}, "not source text"),
        ({**GOOD, "taxi_platform/defs/nul.py": "\0"}, "not source text"),
        ({**GOOD, **{f"taxi_platform/defs/m{number}.py": "" for number in range(9)}}, "there are 11 files"),
    ],
    ids=["nothing", "no test", "huge", "NUL", "too many"],
)
def test_an_incomplete_or_oversized_proposal_is_refused_with_the_reason(files: dict[str, str], said: str) -> None:
    with pytest.raises(ProposalRefused, match=said):
        checked_files(proposal(files), lambda _: False)


def test_an_existing_file_is_not_changed() -> None:
    with pytest.raises(ProposalRefused, match="exists already"):
        checked_files(proposal(GOOD), lambda path: path.endswith("defs/tips.py"))


def test_a_path_may_not_occur_twice() -> None:
    twice = Proposal(summary="", files=[*proposal(GOOD).files, *proposal(GOOD).files])
    with pytest.raises(ProposalRefused, match="twice"):
        checked_files(twice, lambda _: False)


def test_git_applies_the_patch(tmp_path: Path) -> None:
    files = {**GOOD, "taxi_platform/defs/empty.py": "", "taxi_platform/defs/more.py": "é = 1\n\n\nb = 2\n"}
    (tmp_path / "proposal.patch").write_text(patch(files), encoding="utf-8")
    subprocess.run(["git", "apply", "proposal.patch"], cwd=tmp_path, check=True)
    made = {path: (tmp_path / path).read_text(encoding="utf-8") for path in files}
    assert made == files


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("The average tip of yellow taxis per month", "average_tip_yellow_taxis_asset"),
        ("", "proposal_asset"),
        ("2020", "proposal_asset"),
        ("Züge 東京 import", "z_ge_import_asset"),
        ("x" * 500, f"{'x' * 40}_asset"),
    ],
)
def test_an_asset_is_named_after_its_description(description: str, name: str) -> None:
    assert name_for(description, lambda _: False) == name
    assert name_for(description, lambda one: one == name) == f"{name}_2"


@given(st.text(max_size=300))
def test_whatever_the_description_is_the_template_is_a_program_that_says_it(description: str) -> None:
    filled = template(description, "tips_asset", "raw/tips", "public.tips")
    files = checked_files(filled, lambda _: False)
    assert len(files) == 2
    for path, text in files.items():
        compile(text, path, "exec")
    source = files["taxi_platform/defs/tips_asset.py"]
    assert "dg.AssetKey(['raw', 'tips'])" in source
    assert max(map(len, source.splitlines())) < 1100  # even 80 characters that are spelled out, ten each

"""The command ``taxi new-asset``: proposals are executed in a copy, and the project does not change."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taxi_platform.assistant import proposals
from taxi_platform.assistant.proposals import Files, run, template
from taxi_platform.cli.main import taxi
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.gemini_server import GeminiServer, Response, reply_with

COMMAND = 'taxi new-asset "The average tip of yellow taxis"'
MODULE = "taxi_platform/defs/tips_asset.py"
GOOD = template("tips", "yellow_tripdata", "public.yellow_tripdata").model_dump()


def proposal(**changed: str) -> Response:
    return reply_with(json.dumps(GOOD | changed))


def typed(command: str = COMMAND) -> Result:
    return CliRunner().invoke(taxi, [*shlex.split(command)[1:], "--yes"])


def tree() -> dict[str, str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    files = [PROJECT / name for name in listed if name]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


@pytest.fixture(autouse=True)
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that no proposal changes the project; copies of it go to the test's folder."""
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    before = tree()
    yield
    assert tree() == before
    shutil.rmtree(copies)


def test_a_model_corrects_its_proposal_until_it_passes(
    platform: Platform, gemini: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(command: Sequence[str], copy: Path) -> tuple[bool, str]:
        """Run every check except pyright, which takes longer than the others together."""
        ran.append(command[0])
        return (True, "") if command[0] == "pyright" else run(command, copy)

    ran: list[str] = []
    monkeypatch.setattr(proposals, "run", check)
    platform.use(GEMINI_API_KEY="k-secret-123")
    gemini.answers += [
        proposal(name="../../x"),
        proposal(module='"""Tips."""\n\nunknown\n'),
        proposal(module=GOOD["module"].replace("\n\n\n", "\n")),
    ]
    done = typed()
    assert done.exit_code == 0, done.output
    assert "This is not a sandbox" in done.stderr
    assert "Attempt 1 of 4 is refused: '../../x' is not the name of a module" in done.stderr
    assert "Attempt 2 of 4 is refused: ruff check --quiet failed" in done.stderr
    assert "Proposed by gemini-2.5-flash. It passes ruff, pyright, dg, pytest." in done.stdout
    assert ran.count("pyright") == ran.count("dg") == 1
    assert '"\n\n\n@dg.asset(\n' in done.stdout
    assert not [secret for secret in ("k-secret-123", platform.database) if secret in done.output]
    assert not any("k-secret-123" in json.dumps(request.body) for request in gemini.requests)
    copied, kept = re.findall(r"^cp (\S+) \S+$", done.stdout, re.MULTILINE)
    assert Path(copied).read_text() in done.stdout
    assert Path(kept).read_text() == GOOD["test"]


def test_without_a_key_a_template_is_filled_in_and_labelled_as_one(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validate(files: Files, approve: Callable[[Files], None]) -> Path:
        approve(files)
        return tmp_path

    monkeypatch.setattr(proposals, "validate", validate)  # the test above runs the real one
    platform.use(GEMINI_API_KEY="")
    done = typed()
    assert done.exit_code == 0, done.output
    assert "There is no GEMINI_API_KEY, so this is a template" in done.stderr
    assert "Proposed by a template (no GEMINI_API_KEY). It passes ruff" in done.stdout
    assert 'QUERY = "select count(*) from public.yellow_tripdata"' in done.stdout


@pytest.mark.parametrize("typed_in", ["n\n", ""], ids=["no", "no terminal"])
def test_a_models_code_is_shown_and_not_executed_before_the_user_agrees(
    typed_in: str, platform: Platform, gemini: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.use(GEMINI_API_KEY="k-secret-123")
    gemini.answers += [proposal()]
    ran: list[str] = []
    monkeypatch.setattr(proposals, "run", lambda command, copy: (ran.append(command[0]), (True, ""))[1])
    done = CliRunner().invoke(taxi, ["new-asset", "tips"], input=typed_in)
    assert (done.exit_code, set(ran)) == (1, {"ruff", "pyright"})
    assert "def tips_asset(" in done.stdout
    assert "Execute it? [y/N]" in done.stderr
    assert "cp " not in done.output
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_program_that_does_not_end_is_killed_with_all_its_processes(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    outcome = run(["bash", "-c", f"(sleep 3; touch {marker}) & echo begun; wait"], tmp_path, seconds=1)
    assert outcome == (False, "begun\nIt did not end within 1 s.")
    time.sleep(3)
    assert not marker.exists()


def test_a_program_gets_neither_settings_nor_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k-secret-123")
    monkeypatch.setenv("PGPASSWORD", "p-secret-123")
    _, output = run(["env"], tmp_path)
    assert "secret" not in output
    assert f"HOME={tmp_path}/home" in output or "HOME=home" in output

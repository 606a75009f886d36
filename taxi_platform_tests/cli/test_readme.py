"""The README: its commands are run by tests or by CI, its program works, and its links lead to existing files."""

import re
from pathlib import Path

import pytest

from taxi_platform.settings import PROJECT, fields
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.shell import typed

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """Return the commands of a page: the lines of its shell blocks, and calls of our programs in backticks."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    fenced = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in fenced for line in block.splitlines()]
    quoted = re.findall(r"`((?:make|dagster|dg|taxi) [^`]*|python -m [^`]*)`", text)
    return sorted({*filter(None, lines), *quoted})


@pytest.mark.parametrize("page", ["README.md", "docs/from-kestra.md", "docs/assistant.md", "docs/quality.md"])
def test_every_command_is_run_by_a_test_or_by_ci(page: str) -> None:
    here = Path(__file__)
    run = [(PROJECT / ".ci/run").read_text(encoding="utf-8")]
    run += [path.read_text(encoding="utf-8") for path in here.parents[1].rglob("*.py") if path != here]
    missing = [command for command in commands(page) if not any(command in text for text in run)]
    assert commands(page)
    assert missing == []


def test_every_setting_is_in_its_page_and_in_the_example() -> None:
    page = (PROJECT / "docs/settings.md").read_text(encoding="utf-8")
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert [name for name in fields() if f"`{name}`" not in page or f"{name}=" not in example] == []


def test_the_program_for_pandas_prints_the_months(platform: Platform, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    script = tmp_path / "program.py"
    *before, last = program.strip().splitlines()
    script.write_text("\n".join([*before, f"print({last})"]))
    assert platform.run("green_tripdata", month="2019-03").succeeded
    done = typed(f"python {script}", data=tmp_path, TAXI_POSTGRES_URL=platform.database)
    assert done.returncode == 0, done.stdout
    assert "green_tripdata_2019-03.csv" in done.stdout


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md"))])
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    absent = [target for target in targets if not ((PROJECT / page).parent / target).exists()]
    assert absent == []

"""The runbook: each of its commands works on a platform with one loaded and one failed month."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from taxi_platform.cli.main import taxi
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.backfills import Backfills

PAGE = (PROJECT / "docs/runbook.md").read_text("utf-8")
QUALITY = (PROJECT / "docs/quality.md").read_text("utf-8")


def test_every_command_of_the_runbook_does_what_it_says(backfills: Backfills, tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    commands = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    backfills.use(TAXI_FIRST_MONTH="2019-01", TAXI_LAST_MONTH="2019-12")
    assert backfills.run("green_tripdata", month="2019-01").succeeded
    backfills.use(TAXI_SOURCE=str(tmp_path / "raw/green"))
    assert not backfills.run("green_tripdata", month="2019-02").succeeded
    backfills.use(TAXI_SOURCE="sample:0.001")
    outputs = {}
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "taxi"
        done = CliRunner().invoke(taxi, arguments)
        outputs[command] = done.output
        assert done.exit_code == 0 or command == "taxi doctor", done.output
        assert not isinstance(done.exception, Exception), done.exception
    assert "green 2019-02 failed: run" in outputs["taxi status"]
    assert "1 loaded" in outputs["taxi backfill green 2019-01..2019-12 --failed"]
    assert "forced" in outputs["taxi backfill green 2019-02 --all"]
    assert "1 loaded" in outputs["taxi backfill green 2019-03"]
    assert "0 months to load" in outputs["taxi backfill all .. --failed --dry-run"]


def test_each_check_of_a_service_has_its_section() -> None:
    of_services = QUALITY.partition("## The checks of a service")[2].partition("\n## ")[0]
    names = re.findall(r"^\| `(\w+)` \|", of_services, re.M)
    assert len(names) >= 3
    assert [name for name in names if f"## `{name}` warns\n" not in PAGE] == []

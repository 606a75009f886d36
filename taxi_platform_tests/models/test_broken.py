"""The errors of builds of the models that cannot begin or that fail."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from taxi_platform.errors import BrokenModels
from taxi_platform.models import project
from taxi_platform.models.project import FOLDER, build, find_manifest, fingerprint
from taxi_platform.models.targets import Target
from taxi_platform_tests.support.asset_runs import Platform


@pytest.mark.database
@pytest.mark.parametrize(("asset", "month"), [("fct_trips", "2019-03"), ("dim_zones", None)])
def test_a_database_that_does_not_answer_fails_the_build_in_one_sentence(
    asset: str, month: "str | None", platform: Platform
) -> None:
    platform.use(TAXI_POSTGRES_URL="postgresql://taxi@127.0.0.1:1/trips")
    run = platform.run(asset, month=month)
    assert not run.succeeded
    assert "nothing listens on the port" in run.failure
    assert "Traceback" not in run.failure


def test_a_model_that_does_not_compile_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "TARGETS", ("postgres",))  # the other would fail alike
    folder = tmp_path / "dbt"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("target"))
    (folder / "models/intermediate/int_trips.sql").write_text("select 1\n\n{% if %}\n")
    with pytest.raises(BrokenModels, match=r"(?s)int_trips.*line 3"):
        find_manifest(tmp_path, "postgres", folder)
    assert not list(tmp_path.glob(f"dbt/{fingerprint(folder)}/*.json"))


def test_errors_of_dbt_keep_the_model_and_the_line_but_not_passwords_and_repetitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [
        "Compilation Error in model fct_trips (models/marts/monthly/fct_trips.sql)\n  unexpected '}'\n    line 12",
        *2 * ["connection to postgresql://ann:pa55word@db/trips failed"],
    ]
    lines = [json.dumps({"info": {"name": "", "level": "error", "msg": one}, "data": {}}) for one in errors]
    script = tmp_path / "dbt.py"
    script.write_text(f"print('a warning of Python')\nfor line in {lines!r}: print(line)\n")
    monkeypatch.setattr(project, "DBT", (sys.executable, str(script)))
    with pytest.raises(BrokenModels) as failed:
        list(build([], Target("postgres", {}, lambda *_: {}), [], tmp_path, full_refresh=False))
    message = str(failed.value)
    assert "fct_trips (models/marts/monthly/fct_trips.sql)" in message
    assert "line 12" in message
    assert "pa55word" not in message
    assert message.count("connection to") == 1
    assert "a warning" not in message


def test_dbt_is_interrupted_when_its_step_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "dbt.py"
    script.write_text(f"""
import pathlib, time
try:
    print("started", flush=True)
    for _ in range(600):  # one long sleep is not interrupted by a signal that comes just before it
        time.sleep(0.1)
except KeyboardInterrupt:
    pathlib.Path({str(tmp_path / "interrupted")!r}).touch()
""")
    monkeypatch.setattr(project, "DBT", (sys.executable, str(script)))
    events = build([], Target("postgres", {}, lambda *_: {}), [], tmp_path, full_refresh=False)
    next(events)
    events.close()  # as Dagster does
    assert (tmp_path / "interrupted").exists()

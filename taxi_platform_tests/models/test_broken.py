"""What a build of the models says when it cannot begin."""

import shutil
from pathlib import Path

import pytest

from taxi_platform.errors import BrokenModels
from taxi_platform.models import project
from taxi_platform.models.project import FOLDER, find_manifest
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


@pytest.mark.parametrize(
    ("model", "broken", "said"),
    [
        ("marts/monthly/fct_trips.sql", "select {{ ref('fct_tripz') }} }}\n", ["fct_trips", "fct_tripz"]),
        ("intermediate/int_trips.sql", "select 1\n\n{% if %}\n", ["int_trips", "line 3"]),
    ],
)
def test_a_model_that_does_not_compile_is_named_with_its_line(
    model: str, broken: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "TARGETS", ("postgres",))  # the other fails in the same words, and takes as long
    folder = tmp_path / "dbt"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("target"))
    (folder / "models" / model).write_text(broken)
    with pytest.raises(BrokenModels) as refused:
        find_manifest(tmp_path, "postgres", folder)
    assert [word for word in said if word not in str(refused.value)] == []
    assert not list(folder.glob("target/*/done"))

"""The extras: definitions load without any of them, and an error says how to install a missing one."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement

import taxi_platform
from taxi_platform.assistant.knowledge import DOCUMENTS
from taxi_platform.errors import EXTRAS, MissingExtra, missing_extras
from taxi_platform.settings import PROJECT
from taxi_platform_tests.defs.test_definitions import python

# Makes imports fail as in a Python without any package of an extra.
WITHOUT = f"""
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name in {set(EXTRAS) - {"google"} | {"google.cloud", "google.api_core", "google.auth"}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
"""
USE = """
import dagster as dg
from pathlib import Path
from taxi_platform.cli.dbt import run_dbt
from taxi_platform.definitions import defs
from taxi_platform.errors import MissingExtra
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import open_trips
from taxi_platform.trips.services import GREEN
loaded = defs()
print(len(list(loaded.resolve_all_asset_specs())))
try:
    open_trips(Path("green_tripdata_2024-01.parquet"), GREEN, Month(2024, 1))
except MissingExtra as error:
    print(error)
try:
    run_dbt(["build", "--target", "bigquery"])
except MissingExtra as error:
    print(error)
job, instance = loaded.resolve_implicit_global_asset_job_def(), dg.DagsterInstance.ephemeral()
run = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("average_price_by_brand")], raise_on_error=False)
print(run.get_step_failure_events()[0].step_failure_data.user_failure_data.description)
own = dg.asset(name="own", io_manager_key="postgres")(lambda: "a frame")
run = dg.materialize([own], instance=instance, resources=loaded.resources, raise_on_error=False)
print(run.get_step_failure_events()[0].step_failure_data.user_failure_data.description)
"""  # noqa: E501


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def packages(extra: str) -> set[str]:
    """Return the packages of an extra, or the main dependencies for an empty name."""
    project = tomli.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {normal(Requirement(need).name) for need in needs}


def imported() -> Iterator[str]:
    """Yield the modules of other packages that the package imports anywhere, also inside functions."""
    for path in Path(taxi_platform.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def test_each_module_outside_the_main_dependencies_is_known_with_its_extra() -> None:
    origins, core = packages_distributions(), packages("")
    for name in {*imported()}:
        top = name.partition(".")[0]
        mine = {normal(one) for one in origins.get(top, ())}
        if top in {*sys.stdlib_module_names, "taxi_platform"} or not mine or (mine & core and top != "google"):
            continue
        extra = EXTRAS.get(name) or EXTRAS[top]
        assert mine & packages(extra), f"{name} does not come with {extra}"


def test_definitions_load_without_any_extra_and_what_needs_one_says_how_to_install_it(tmp_path: Path) -> None:
    done = python(WITHOUT + USE, TAXI_DATA_DIR=str(tmp_path))
    number, parquet, models, brands, own = done.stdout.splitlines()
    assert int(number) > 30, done.stderr  # the models are not among them, unless there is a manifest
    assert parquet == str(MissingExtra("pyarrow"))
    assert models == str(MissingExtra("dbt.adapters.bigquery"))
    assert brands == str(MissingExtra("dagster_duckdb"))
    assert own == str(MissingExtra("pandas"))


@pytest.mark.parametrize("has_pip", [True, False])
def test_the_advice_of_a_missing_extra_installs_for_this_python(monkeypatch: pytest.MonkeyPatch, has_pip: bool) -> None:
    monkeypatch.setattr("taxi_platform.errors.find_spec", lambda _: has_pip or None)
    install = f"{sys.executable} -m pip install" if has_pip else f"uv pip install --python {sys.prefix}"
    advice = f"Run `{install} 'taxi-platform[parquet]'`, or `make install` in the project's folder."
    assert str(MissingExtra("pyarrow")) == f"pyarrow: it is not installed. {advice}"


def test_the_documentation_is_in_the_package_and_can_be_searched_with_the_extra_of_mcp_alone() -> None:
    assert all((Path(taxi_platform.__file__).parent / name).exists() for name in DOCUMENTS)
    assert {"bm25s", "markdown-it-py", "pystemmer"} <= packages("mcp")


def test_an_import_error_of_another_module_is_not_changed() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), missing_extras():
        import no_such_module  # pyright: ignore # noqa: F401
    with pytest.raises(MissingExtra, match=r"google\.genai.*\[assistant\]"), missing_extras():
        raise ModuleNotFoundError("No module named 'google.genai'", name="google.genai")

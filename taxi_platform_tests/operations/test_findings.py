"""The parts of ``taxi doctor`` that need no server: running checks, the report, versions, names, disks, heartbeats."""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from dagster._daemon.types import DaemonHeartbeat, DaemonStatus
from dagster._utils.error import SerializableErrorInfo
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from taxi_platform.cli.doctor import run_doctor
from taxi_platform.errors import NotPublished
from taxi_platform.operations.doctor import (
    Finding,
    State,
    dagster_state,
    diagnosis,
    machine,
    ok,
    problem,
    servers,
    warning,
)
from taxi_platform.operations.doctor.diagnosis import run_checks
from taxi_platform.settings import Settings, settings

LOCK = ["dagster==1.13.27", "psutil==7.2.2", 'colorama==0.4.6 ; sys_platform == "win32"', "", "requests==2.32.0"]
WANTED = ["dagster==1.13.27", "requests>=2.32", 'pyright==1.1.414; extra == "dev"']
INSTALLED = {"dagster": "1.13.27", "dagster-webserver": "1.13.27", "dagster-gcp": "0.29.27", "requests": "2.32.0"}


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def states(findings: Iterable[Finding]) -> list[State]:
    return [finding.state for finding in findings]


# Running the checks


def test_checks_run_side_by_side_and_are_reported_in_their_order() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(_: Settings) -> Iterator[Finding]:
        both.wait()
        yield ok("met")

    found = run_checks({"one": meet, "two": meet}, Settings.model_construct())
    assert found == [("one", [ok("met")]), ("two", [ok("met")])]


def test_the_findings_of_a_check_that_hangs_are_kept_and_it_is_not_waited_for() -> None:
    released = threading.Event()

    def hang(_: Settings) -> Iterator[Finding]:
        yield ok("so far")
        released.wait()

    ((_, findings),) = run_checks({"slow": hang}, Settings.model_construct(), seconds=0.2)
    assert findings[0] == ok("so far")
    assert (findings[1].state, findings[1].what) == ("problem", "no answer within 0 s")
    released.set()


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (NotPublished("a.csv", "it is not there", "Choose another."), "a.csv: it is not there"),
        (PermissionError(13, "Permission denied", "/srv/x"), "/srv/x: permission denied"),
        (ZeroDivisionError("oh"), "the check itself failed: ZeroDivisionError: oh"),
    ],
)
def test_a_check_that_raises_is_a_problem_without_a_stack_trace(error: Exception, what: str) -> None:
    def fail(_: Settings) -> Iterator[Finding]:
        raise error
        yield

    ((_, (finding,)),) = run_checks({"ill": fail}, Settings.model_construct())
    assert (finding.state, finding.what) == ("problem", what)


def test_all_invalid_settings_are_named_and_nothing_else_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_FIRST_MONTH", "2019-13")
    monkeypatch.setenv("TAXI_ALERT_URLS", "token-of-mine")
    ((subject, findings),) = diagnosis.diagnose()
    assert subject == "settings"
    assert [finding.what.partition(":")[0] for finding in findings[:2]] == [
        "TAXI_FIRST_MONTH=2019-13",
        "TAXI_ALERT_URLS",
    ]
    assert findings[-1].what.startswith("nothing else was checked")
    assert "token-of-mine" not in str(findings)


# The report


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[bool, str]]:
    """Return the command's result and output for some findings."""

    def run(*found: tuple[str, list[Finding]], as_json: bool = False) -> tuple[bool, str]:
        monkeypatch.setattr("taxi_platform.cli.doctor.diagnose", lambda: found)
        is_fine = run_doctor(as_json=as_json)
        return is_fine, capsys.readouterr().out

    return run


DIAGNOSIS = [("data folder", [ok("/srv/taxi")]), ("ports", [warning("3000 is taken", "End it."), problem("x", "y")])]


def test_a_finding_is_a_line_and_its_advice_another(report: Callable[..., tuple[bool, str]]) -> None:
    assert report(*DIAGNOSIS) == (
        False,
        "ok       data folder  /srv/taxi\n"
        "warning  ports        3000 is taken\n"
        "                      -> End it.\n"
        "problem  ports        x\n"
        "                      -> y\n"
        "\n"
        "1 problem, 1 warning; everything else is in order.\n",
    )
    assert report(("ports", [ok("free")])) == (True, "ok       ports  free\n\nEverything is in order.\n")


def test_the_json_output_has_the_same_findings_and_only_problems_fail(report: Callable[..., tuple[bool, str]]) -> None:
    is_fine, text = report(*DIAGNOSIS, as_json=True)
    printed = json.loads(text)
    assert (is_fine, printed["problems"], printed["warnings"]) == (False, 1, 1)
    finding = {"subject": "ports", "state": "warning", "what": "3000 is taken", "advice": "End it."}
    assert printed["findings"][1] == finding
    assert report(("ports", [warning("x", "y")]))[0] is True


PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_characters="\x7f"), min_size=5)


@limits(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=PASSWORDS.map(lambda text: f"§{text}"), encoded=st.booleans())
def test_no_report_shows_a_password_whatever_its_characters(
    password: str, encoded: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check that reports about addresses where nothing listens hide passwords, percent-encoded or not."""

    def careless(_: Settings) -> Iterator[Finding]:
        for name in ("POSTGRES_URL", "DAGSTER_POSTGRES_URL", "SOURCE", "ALERT_URLS"):
            yield problem(f"cannot use {os.environ['TAXI_' + name]}", f"Is {password!r} right, or {written}?")

    written = quote(password, safe="") if encoded else password
    with monkeypatch.context() as patch:
        patch.setenv("TAXI_POSTGRES_URL", f"postgresql://u:{written}@127.0.0.1:9/d")
        patch.setenv("TAXI_DAGSTER_POSTGRES_URL", f"postgresql://u:{written}@127.0.0.1:9/d")
        patch.setenv("TAXI_SOURCE", f"http://u:{written}@127.0.0.1:9/{{service}}/{{month}}.csv")
        patch.setenv("TAXI_ALERT_URLS", f"json://u:{written}@127.0.0.1:9/ xml://h/ nonsense://{written}")
        checks = {
            "a": servers.examine_postgres,
            "b": servers.examine_source,
            "c": lambda settings: [dagster_state.check_state(settings)],
            "d": machine.examine_settings,
            "e": careless,
        }
        patch.setattr("taxi_platform.cli.doctor.diagnose", lambda: diagnosis.diagnose(checks))
        settings.cache_clear()
        run_doctor(as_json=False)
        run_doctor(as_json=True)
    printed = capsys.readouterr().out
    assert "problem" in printed
    for spelling in (password, written, json.dumps(password, ensure_ascii=False)[1:-1]):
        assert spelling not in printed


# Installation


def test_a_version_of_python_that_is_not_supported_is_a_problem() -> None:
    assert machine.check_python("3.11.7", ">=3.10,<3.14").state == "ok"
    assert machine.check_python("3.9.2", ">=3.10,<3.14").state == "problem"
    assert machine.check_python("3.14.0", ">=3.10,<3.14").state == "problem"


def test_packages_are_compared_with_the_requirements_and_the_lock_file() -> None:
    assert states(machine.check_packages({**INSTALLED, "psutil": "7.2.2"}, WANTED, LOCK)) == ["ok"]
    (missing,) = machine.check_packages({"dagster": "1.13.27"}, WANTED, LOCK)
    assert (missing.state, missing.what) == ("problem", "not installed: requests")
    (unfit,) = machine.check_packages({**INSTALLED, "dagster": "1.12.0"}, WANTED, LOCK)
    assert (unfit.state, unfit.what) == ("problem", "of the wrong version: dagster 1.12.0 (needed: ==1.13.27)")
    (other,) = machine.check_packages({**INSTALLED, "requests": "2.33.1"}, WANTED, LOCK)
    assert (other.state, other.what) == ("warning", "1 packages are not of the tested version: requests 2.33.1")


def test_a_dagster_command_of_another_environment_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert states(machine.check_path(str(tmp_path / "bin/dagster"), tmp_path)) == []
    for command in (None, "/usr/bin/dagster"):
        (found,) = machine.check_path(command, tmp_path)
        assert found.state == "warning"
        assert ". .venv/bin/activate" in found.advice


# Settings


KNOWN = ["TAXI_SOURCE", "TAXI_DATA_DIR", "GCP_PROJECT_ID", "TAXI_DB_PORT"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("TAXI_SORUCE", "Did you mean TAXI_SOURCE?"),
        ("taxi_source", "Did you mean TAXI_SOURCE?"),
        ("GCP_PROJECT", "Did you mean GCP_PROJECT_ID?"),
        ("TAXI_WHATEVER", "See .env.example for the settings."),
        ("GCP_WHATEVER", None),
        ("TAXI_TEST_POSTGRES_URL", None),
        ("PATH", None),
        ("TAXI_SOURCE", None),
    ],
)
def test_a_name_that_is_not_a_setting_is_a_warning(name: str, advice: str | None) -> None:
    assert [finding.advice for finding in machine.find_unknown([name], KNOWN)] == ([advice] if advice else [])


def test_a_line_of_the_file_that_the_shell_overrides_is_reported_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        machine, "dotenv", lambda: {"TAXI_SOURCE": "sample", "TAXI_WEB_URL": "http://a", "export": None}
    )
    monkeypatch.setenv("TAXI_SOURCE", "sample")
    monkeypatch.setenv("TAXI_WEB_URL", "http://secret")
    found = [finding for finding in machine.examine_settings(settings()) if finding.state == "warning"]
    assert [finding.what for finding in found] == [
        "TAXI_WEB_URL is set in this shell, which overrides the value in .env"
    ]


def test_months_the_wrong_way_round_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_FIRST_MONTH", "2020-02")
    monkeypatch.setenv("TAXI_LAST_MONTH", "2020-01")
    first = next(iter(machine.examine_settings(settings())))
    assert first.state == "problem"
    assert "the first month lies after the last" in first.what


# Data folder


@pytest.mark.parametrize(("gibibytes", "state"), [(1.9, "problem"), (2, "warning"), (9.9, "warning"), (10, "ok")])
def test_too_little_space_for_a_large_month_is_a_problem(gibibytes: float, state: State) -> None:
    assert machine.check_space(int(gibibytes * machine.GIB)).state == state


def test_a_folder_that_does_not_exist_yet_is_fine_and_is_not_created(tmp_path: Path) -> None:
    found = list(machine.examine_data_folder(Settings(data_dir=tmp_path / "a/b")))
    assert found[0].state == "ok"
    assert "does not exist yet" in found[0].what
    assert list(tmp_path.iterdir()) == []


def test_a_file_at_the_path_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "taxi").write_text("")
    for folder in (tmp_path / "taxi", tmp_path / "taxi/data"):
        (found,) = machine.examine_data_folder(Settings(data_dir=folder))
        assert found.what == f"{tmp_path}/taxi is a file, and {folder} should be a folder"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_parts_that_belong_to_another_user_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    os.chown(tmp_path / "raw", 12345, 12345)
    found = list(machine.examine_data_folder(Settings(data_dir=tmp_path)))
    assert found[1].state == "warning"
    assert "belong to user 12345, and this is root" in found[1].what


# Dagster's home


def test_a_home_must_exist_and_have_the_configuration_of_this_project(tmp_path: Path) -> None:
    config, home = tmp_path / "dagster.yaml", tmp_path / "home"
    config.touch()

    def of(named: str) -> Finding:
        return dagster_state.check_home(named, tmp_path / "home", config)

    assert "is not set" in of("").what
    assert "is not absolute" in of("home").what
    assert "has no dagster.yaml" in of(str(home)).what
    home.mkdir()
    own = home / "dagster.yaml"
    own.symlink_to(config)
    assert of(str(home)).state == "ok"
    own.unlink()
    own.write_text("telemetry: {enabled: true}")
    assert "is not this project's" in of(str(home)).what
    own.write_text("run_launcher: {module: taxi_platform.instance.launcher}")
    assert "names modules of taxi_platform.instance, which the next release removes" in of(str(home)).what
    (tmp_path / "other").mkdir()
    (tmp_path / "other/dagster.yaml").symlink_to(config)
    assert "but TAXI_DATA_DIR leads to" in of(str(tmp_path / "other")).what


# Daemons


def status(name: str, age: float | None, *errors: str, tolerated: float = 90) -> DaemonStatus:
    recorded = [SerializableErrorInfo(error, [], None) for error in errors]
    beat = None if age is None else DaemonHeartbeat(1000.0 - age, name, None, recorded)
    return DaemonStatus(name, True, age is not None and age < tolerated and not errors, beat)


@pytest.mark.parametrize(
    ("statuses", "state", "what"),
    [
        ([status("SENSOR", 5), status("BACKFILL", 9)], "ok", "2 daemons run: backfill, sensor"),
        ([status("SENSOR", None), status("BACKFILL", None)], "warning", "no daemon has ever run here"),
        (
            [status("SENSOR", 900), status("BACKFILL", None)],
            "warning",
            "no daemon runs; the last one did 15 minutes ago",
        ),
        ([status("SENSOR", 5), status("BACKFILL", 900)], "problem", "without a heartbeat while others run: backfill"),
        ([status("SENSOR", 5, "disk full\n"), status("BACKFILL", 5)], "problem", "sensor reports an error: disk full"),
    ],
)
def test_daemons_are_judged_by_their_heartbeats(statuses: list[DaemonStatus], state: State, what: str) -> None:
    (found,) = dagster_state.describe_daemons({each.daemon_type: each for each in statuses}, now=1000.0)
    assert found.state == state
    assert found.what.endswith(what)


# Code location


def test_definitions_that_do_not_load_are_reported_with_the_last_line_of_their_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dagster_state, "_LOAD", "import no_such_module")
    (failed,) = dagster_state.examine_code_location(Settings())
    assert failed.state == "problem"
    assert failed.what == "the definitions do not load: ModuleNotFoundError: No module named 'no_such_module'"


def test_an_error_while_definitions_are_made_is_reported_without_dagsters_list_of_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAXI_EXPORTS", "~nobody-at-all/exports")
    (failed,) = dagster_state.examine_code_location(Settings())
    assert failed.what.startswith("the definitions do not load: InvalidSetting: ~nobody-at-all/exports: ")

"""The web UI as ``dagster dev`` and ``dg dev`` start it, asked over GraphQL and looked at in a real browser.

The README's picture is made by the same test, with more months to show:

    TAXI_SCREENSHOT=docs/images/asset-graph.png pytest taxi_platform_tests/stack/test_web_ui.py -k browser
"""

import os
import struct
from pathlib import Path

from playwright.sync_api import Error

from taxi_platform.settings import PROJECT
from taxi_platform.trips.services import SERVICES
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.browser import browser
from taxi_platform_tests.support.shell import typed
from taxi_platform_tests.support.web_ui import LOCATIONS, ask, refuses_other_sites, started

EVERY_GROUP = "asset-groups?expanded=global@global:trips,global@global:zones"
DOWNWARDS = "localStorage.setItem('asset-graph-direction', '\"vertical\"')"
NARROW_MENU = "localStorage.setItem('dagster-nav-collapsed', 'true')"
PICTURE_OF = """
dagster asset materialize --select taxi_zone_lookup
dagster asset materialize --select green_tripdata --partition-range 2019-01...2021-07
dagster asset materialize --select yellow_tripdata --partition-range 2019-01...2020-12
dagster asset materialize --select fhv_tripdata --partition-range 2019-01...2019-12
"""

ASSETS = "{ assetNodes { assetKey { path } groupName partitionStats { numMaterialized numPartitions } } }"
RESOURCES = """{ allTopLevelResourceDetailsOrError(
    repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "taxi_platform"}
) { ... on ResourceDetailsList { results {
    name configuredValues { key value } nestedResources { name resource { configuredValues { key value } } }
} } } }"""


def test_dagster_dev_shows_what_was_done_before_and_a_browser_every_asset(backfills: Backfills, tmp_path: Path) -> None:
    settings = {"TAXI_SOURCE": "sample:0.001", "TAXI_POSTGRES_URL": backfills.database}
    assert backfills.run("green_tripdata", months="2019-01...2019-02").succeeded
    if picture := os.environ.get("TAXI_SCREENSHOT"):
        assert typed(PICTURE_OF, tmp_path, **settings).returncode == 0
    with started("dagster dev", tmp_path, **settings) as url:
        (location,) = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert location["name"] == "taxi_platform"
        assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}
        nodes = {"/".join(node["assetKey"]["path"]): node for node in ask(url, ASSETS)["assetNodes"]}
        tables = {service.table for service in SERVICES.values()}
        assert tables | {f"raw/{table}" for table in tables} | {"taxi_zone_lookup"} <= set(nodes)
        for key in () if picture else ("green_tripdata", "raw/green_tripdata"):
            assert nodes[key]["partitionStats"] == {"numMaterialized": 2, "numPartitions": 31}
        assert refuses_other_sites(url)
        take_picture(url, PROJECT / picture if picture else tmp_path / "asset-graph.png")


def take_picture(url: str, target: Path) -> None:
    """Look at the asset graph in a browser, and keep a picture of it."""
    with browser(1700, 660) as page:
        problems: list[Error] = []
        page.on("pageerror", lambda problem: problems.append(problem))
        page.add_init_script(f"{DOWNWARDS}; {NARROW_MENU}")
        page.goto(url + EVERY_GROUP)
        for name in ("green_tripdata", "yellow_tripdata", "fhv_tripdata", "taxi_zone_lookup"):
            page.get_by_text(name, exact=True).first.wait_for()
        for table in ("green_tripdata", "yellow_tripdata", "fhv_tripdata"):
            assert page.get_by_text(table, exact=True).count() == 2
        for group in ("cloud", "getting_started", "assistant", "docker_hub"):  # too many to be read when unfolded
            page.get_by_text(group, exact=True).last.wait_for()
        # The graph was laid out beside the list of assets; without the list, the same fits a page that is less wide.
        page.locator("button:has([aria-label=panel_show_right])").last.click()
        page.set_viewport_size({"width": 1400, "height": 660})
        page.wait_for_timeout(2000)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target)
        assert problems == []
    width, height = struct.unpack(">II", target.read_bytes()[16:24])
    assert (width, height) == (1400, 660)
    assert 20_000 < target.stat().st_size < 300_000


def test_dg_dev_starts_and_shows_no_password(state_database: str, tmp_path: Path) -> None:
    settings = {
        "TAXI_SOURCE": "https://ann:pa55word@nowhere.invalid/{service}/{month}.csv.gz",
        "TAXI_POSTGRES_URL": "postgresql://ben:5ecret@nowhere.invalid/trips",
        "TAXI_DAGSTER_POSTGRES_URL": state_database,
    }
    with started("dg dev", tmp_path, **settings) as url:
        (location,) = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert location["name"] == "taxi_platform"
        assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}
        resources = ask(url, RESOURCES)["allTopLevelResourceDetailsOrError"]["results"]
        assert {resource["name"] for resource in resources} >= {"postgres", "raw_files", "trip_files"}
        assert "pa55word" not in str(resources)
        assert "5ecret" not in str(resources)
        assert refuses_other_sites(url)

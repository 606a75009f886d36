"""The web UI as ``dg dev`` starts it, over GraphQL and in a real browser.

``.ci/run`` starts ``taxi dev``, which is ``dagster dev``.

The README's picture is made by the same test, with more months to show:

    TAXI_SCREENSHOT=docs/images/asset-graph.png pytest taxi_platform_tests/stack/test_web_ui.py -k browser
"""

import os
import struct
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Error, FloatRect

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
dagster asset materialize --select green_tripdata --partition-range 2019-01...2019-12
dagster asset materialize --select yellow_tripdata --partition-range 2019-01...2019-12
dagster asset materialize --select fhv_tripdata --partition-range 2019-01...2019-12
dagster asset materialize --select fhvhv_tripdata --partition-range 2019-01...2019-12
"""
MARGIN = 20  # pixels of the picture around the graph

ASSETS = "{ assetNodes { assetKey { path } groupName partitionStats { numMaterialized numPartitions } } }"
RESOURCES = """{ allTopLevelResourceDetailsOrError(
    repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "taxi_platform"}
) { ... on ResourceDetailsList { results {
    name configuredValues { key value } nestedResources { name resource { configuredValues { key value } } }
} } } }"""


def test_dg_dev_shows_earlier_materializations_every_asset_and_no_password(
    backfills: Backfills, tmp_path: Path
) -> None:
    settings = {"TAXI_SOURCE": "sample:0.001", "TAXI_POSTGRES_URL": backfills.database}
    assert backfills.run("green_tripdata", months="2019-01...2019-02").succeeded
    if picture := os.environ.get("TAXI_SCREENSHOT"):
        settings["TAXI_LAST_MONTH"] = "2019-12"
        assert typed(PICTURE_OF, tmp_path, **settings).returncode == 0
    settings["TAXI_SOURCE"] = "https://ann:pa55word@nowhere.invalid/{service}/{month}.csv.gz"
    with started("dg dev", tmp_path, **settings) as url:
        (location,) = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert location["name"] == "taxi_platform"
        assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}
        nodes = {"/".join(node["assetKey"]["path"]): node for node in ask(url, ASSETS)["assetNodes"]}
        tables = {service.table for service in SERVICES.values()}
        assert tables | {f"raw/{table}" for table in tables} | {"taxi_zone_lookup"} <= set(nodes)
        for key in () if picture else ("green_tripdata", "raw/green_tripdata"):
            assert nodes[key]["partitionStats"] == {"numMaterialized": 2, "numPartitions": 31}
        resources = ask(url, RESOURCES)["allTopLevelResourceDetailsOrError"]["results"]
        assert {resource["name"] for resource in resources} >= {"postgres", "raw_files", "trip_files"}
        for secret in ("pa55word", urlsplit(backfills.database).password or "pa55word"):
            assert secret not in str(resources)
        assert refuses_other_sites(url)
        take_picture(url, PROJECT / picture if picture else tmp_path / "asset-graph.png")


def take_picture(url: str, target: Path) -> None:
    """Open the asset graph in a browser, check it, and save a picture of the groups that trips go through."""
    with browser(2300, 860) as page:  # so wide that the nodes show their partitions and checks
        problems: list[Error] = []
        page.on("pageerror", lambda problem: problems.append(problem))
        page.add_init_script(f"{DOWNWARDS}; {NARROW_MENU}")
        page.goto(url + EVERY_GROUP)
        for name in (*(service.table for service in SERVICES.values()), "taxi_zone_lookup"):
            page.get_by_text(name, exact=True).first.wait_for()
        for service in SERVICES.values():
            assert page.get_by_text(service.table, exact=True).count() == 2
        for group in ("cloud", "exports", "models", "reports", "getting_started", "assistant", "docker_hub"):
            page.get_by_text(group, exact=True).last.wait_for()
        # The graph was laid out beside the list of assets.
        page.locator("button:has([aria-label=panel_show_right])").last.click()
        page.wait_for_timeout(2000)
        places = [
            page.get_by_text(name, exact=True).last.bounding_box() for name in ("cloud", "trips", "reports", "zones")
        ]
        left, top, below, right = (place or {} for place in places)
        x, y = left["x"] - MARGIN, top["y"] - MARGIN
        clip: FloatRect = {"x": x, "y": y, "width": right["x"] + 12 * MARGIN - x, "height": below["y"] + 3 * MARGIN - y}
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target, clip=clip)
        assert problems == []
    width, height = struct.unpack(">II", target.read_bytes()[16:24])
    assert width in range(1100, 1600)
    assert height in range(400, 700)
    assert 20_000 < target.stat().st_size < 300_000

"""Two months of trips and the models that dbt has built of them, once for all tests that only read them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, FHVHV, GREEN, YELLOW, Service
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.asset_runs import Platform, Run, platform_of_a_module
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows, text, with_field, zipped

MONTHLY = (
    "stg_green_tripdata",
    "stg_yellow_tripdata",
    "stg_fhv_tripdata",
    "stg_fhvhv_tripdata",
    "int_trips",
    "fct_trips",
    "fct_fhv_trips",
    "fct_fhvhv_trips",
    "fct_monthly_zone_revenue",
)
DIMENSIONS = ("vendors", "rate_codes", "payment_types", "dim_vendors", "dim_zones")
ZONES = "LocationID,Borough,Zone,service_zone\n" + "".join(f"{n},Queens,Zone {n},Boro Zone\n" for n in range(1, 266))


class Models:
    """A platform whose source is a folder.

    Attributes:
        platform: the code location with an empty database.
        first: the run that built everything.
    """

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self._folder = folder
        self.first: Run | None = None

    def publish(self, service: Service, months: Mapping[Month, Sequence[str]]) -> None:
        """Publish consecutive months, and load them in one run."""
        for month, lines in months.items():
            (self._folder / f"{service.file_name(month)}.gz").write_bytes(zipped(text(service, lines)))
        config = {f"raw/{service.table}": {"force": True}}
        span = f"{min(months)}...{max(months)}"
        run = self.platform.run(f"raw/{service.table}", service.table, months=span, config=config)
        assert run.succeeded, run.failure

    def build(self, *models: str, months: str = "2019-03...2019-04", **config: object) -> Run:
        """Build the named models, or all monthly models, for a range of months."""
        return self.platform.run(*(models or MONTHLY), months=months, config={"monthly_models": config})

    def rows(self, query: str) -> list[tuple]:
        """Return the rows of a query."""
        return self.platform.rows(query)


def green_march() -> list[str]:
    """Return rows: some lack what the course's models require, two are equal, and one is of another year."""
    lines = rows(GREEN, 40)
    for column in ("vendorid", "ratecodeid", "passenger_count", "payment_type", "trip_type"):
        lines[3] = with_field(GREEN, lines[3], column, "")
    lines[4] = with_field(GREEN, lines[4], "pulocationid", "999")
    lines[5] = with_field(GREEN, lines[5], "dolocationid", "")
    lines[6] = with_field(GREEN, lines[6], "lpep_pickup_datetime", "2041-08-17 16:24:42")
    lines[7] = with_field(GREEN, lines[7], "vendorid", "77")
    return [*lines, lines[8], lines[9], with_field(GREEN, lines[9], "passenger_count", "6")]


@pytest.fixture(scope="module")
def models(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """Load March and April of green, yellow and fhv, March of fhvhv and the zones, and build every model in one run."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "published").mkdir()
    (folder / "published/taxi_zone_lookup.csv").write_text(ZONES)
    source = str(folder / "published")
    with (
        platform_of_a_module(postgres_url, folder, TAXI_SOURCE=source) as platform,
        pytest.MonkeyPatch.context() as patch,
    ):
        warm.use_for_dbt(patch)
        made = Models(platform, folder / "published")
        made.publish(GREEN, {MARCH: green_march(), APRIL: rows(GREEN, 10)})
        made.publish(FHV, {MARCH: [*rows(FHV, 20), *rows(FHV, 3)], APRIL: rows(FHV, 4)})
        made.publish(FHVHV, {MARCH: rows(FHVHV, 6)})
        made.publish(YELLOW, {MARCH: rows(YELLOW, 5), APRIL: rows(YELLOW, 30)})
        zones = platform.run("taxi_zone_lookup")
        assert zones.succeeded, zones.failure
        made.first = made.build(*DIMENSIONS, *MONTHLY)
        yield made

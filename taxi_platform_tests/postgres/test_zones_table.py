"""The asset of the zone lookup: its table has exactly the zones that the source has now."""

from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import Published, TripServer

ZONES = b"""\
"LocationID","Borough","Zone","service_zone"
1,"EWR","Newark Airport","EWR"
2,"Queens","Jamaica Bay","Boro Zone"
"""


def test_the_table_has_what_the_source_has_now(server: TripServer, platform: Platform) -> None:
    platform.use(TAXI_SOURCE=server.template)
    newark, jamaica = (1, "EWR", "Newark Airport", "EWR"), (2, "Queens", "Jamaica Bay", "Boro Zone")
    for content, zones in (
        (ZONES[: ZONES.index(b"2,")], [newark]),
        (ZONES, [newark, jamaica]),
        (ZONES, [newark, jamaica]),
    ):
        server.publish("/misc/taxi_zone_lookup.csv", Published(content, etag=None, modified=None))
        run = platform.run("taxi_zone_lookup")
        assert run.of("taxi_zone_lookup")["dagster/row_count"] == len(zones)
        assert platform.rows("select * from taxi_zone_lookup order by 1") == zones


def test_the_samples_zones_are_the_265_of_the_tlc(platform: Platform) -> None:
    assert platform.run("taxi_zone_lookup").of("taxi_zone_lookup")["dagster/row_count"] == 265

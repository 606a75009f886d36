"""What the platform logs while a run works is in the log of the run, from whichever module and thread it comes."""

from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

NAME = "green_tripdata_2019-03.csv.gz"


def test_the_lines_of_a_load_are_in_the_log_of_its_run(
    platform: Platform, server: TripServer, no_waits: list[float]
) -> None:
    content = zipped(text(GREEN, rows(GREEN, 50)))
    server.publish(f"/green/{NAME}", content)
    server.script(f"/green/{NAME}", Answer(status=503))
    platform.use(TAXI_SOURCE=server.template)
    run = platform.run("green_tripdata", month="2019-03")
    assert run.succeeded
    lines = [entry.user_message for entry in run.log]
    assert any(
        line.startswith(f"{NAME}: the server answers 503 Service Unavailable; attempt 2 of 6 in ") for line in lines
    )
    assert lines.count(f"{NAME}: 50 rows in {len(content):,} bytes, verified and kept") == 1

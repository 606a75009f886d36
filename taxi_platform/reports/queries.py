"""The SQL that asks the models for the figures of one month. Pure: nothing is run here.

PostgreSQL does the counting: what comes back is a few thousand small rows at most, however many trips there are. Each
query reads one month, by the column that the models are built by; its parameters are the first days of that month and
of the next.
"""

from collections.abc import Sequence

from taxi_platform.reports.figures import DOLLARS, MILES, NOT_GIVEN
from taxi_platform.trips.keys import MODELS_SCHEMA

FARTHEST = 100  # miles; beyond, and below nothing, a distance says more about the taximeter than about the trip
_LEAST = 0.001  # what is less is nothing: the files have two decimal places

TRIPS, FHV_TRIPS, REVENUE, ZONES = (
    f"{MODELS_SCHEMA}.{model}" for model in ("fct_trips", "fct_fhv_trips", "fct_monthly_zone_revenue", "dim_zones")
)
MODELS = (TRIPS, FHV_TRIPS, REVENUE, ZONES)

EXIST = "select to_regclass(name) is not null from unnest(%s::text[]) as name"

# Which months there are is asked of a table that has one row a zone, not one a trip.
MONTHS = f"select distinct file_month from {REVENUE}"

_DAY = """case when pickup_datetime >= %(first)s and pickup_datetime < %(after)s
        then extract(day from pickup_datetime)::int end"""
_HOUR = "extract(hour from pickup_datetime)::int"


def _sum(amount: str) -> str:
    """The sum of an amount, to which what is no number or has no end adds nothing."""
    return (
        f"coalesce(sum({amount}) filter (where {amount} > '-infinity' and {amount} < 'infinity'), 0)::double precision"
    )


# Strays have no day, so that they add no more than 24 rows, wherever they stray to.
BY_HOUR = f"""
select service, {_DAY} as day, {_HOUR} as hour,
    count(*), {_sum("total_amount")},
    count(*) filter (where vendor_id = -1),
    count(*) filter (where dropoff_datetime < pickup_datetime),
    count(*) filter (where total_amount < 0),
    count(*) filter (where trip_distance between 0 and {FARTHEST}),
    coalesce(sum(trip_distance) filter (where trip_distance between 0 and {FARTHEST}), 0)::double precision
from {TRIPS}
where file_month = %(first)s
group by 1, 2, 3"""

FHV_BY_HOUR = f"""
select 'fhv', {_DAY} as day, {_HOUR} as hour,
    count(*), 0::double precision,
    count(*) filter (where dispatching_base_num is null),
    count(*) filter (where dropoff_datetime < pickup_datetime),
    0, 0, 0::double precision
from {FHV_TRIPS}
where file_month = %(first)s
group by 1, 2, 3"""


def _column(value: str, bounds: Sequence[int]) -> str:
    """The column of a distribution that a value falls into."""
    edges = ", ".join(map(str, (0, _LEAST, *bounds)))
    return f"coalesce(width_bucket({value}::double precision, array[{edges}]::double precision[]), {NOT_GIVEN})"


DISTRIBUTIONS = f"""
select service, {_column("trip_distance", MILES)} as miles, {_column("fare_amount", DOLLARS)} as fare,
    payment_type_description, count(*)
from {TRIPS}
where file_month = %(first)s
group by 1, 2, 3, 4"""

BY_ZONE = f"""
select revenue.service, zones.location_id, zones.zone, zones.borough,
    sum(revenue.trips)::bigint, {_sum("revenue.total_amount")}
from {REVENUE} as revenue
join {ZONES} as zones on zones.location_id = revenue.pickup_location_id
where revenue.file_month = %(first)s
group by 1, 2, 3, 4"""

FHV_BY_ZONE = f"""
select 'fhv', zones.location_id, zones.zone, zones.borough, counted.trips, 0::double precision
from (
    select pickup_location_id, count(*) as trips from {FHV_TRIPS} where file_month = %(first)s group by 1
) as counted
join {ZONES} as zones on zones.location_id = counted.pickup_location_id"""

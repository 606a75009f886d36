"""The models that reports read, filled by SQL with any number of months, without loading trips."""

import time
from collections.abc import Iterable

from taxi_platform.postgres.connection import connect, execute
from taxi_platform.trips.months import Month

_TABLES = """
drop schema if exists analytics cascade;
create schema analytics;
create table analytics.dim_zones as
    select -1 as location_id, 'Unknown' as borough, 'Unknown' as zone, 'Unknown' as service_zone
    union all select number, 'Queens', 'Zone ' || number, 'Boro Zone' from generate_series(1, 265) as number;
create table analytics.fct_trips (
    trip_key text, service text, filename text, file_month date, vendor_id integer, rate_code_id integer,
    pickup_datetime timestamp, dropoff_datetime timestamp, pickup_location_id integer, dropoff_location_id integer,
    store_and_fwd_flag text, passenger_count integer, trip_distance double precision, trip_type integer,
    fare_amount double precision, extra double precision, mta_tax double precision, tip_amount double precision,
    tolls_amount double precision, ehail_fee double precision, improvement_surcharge double precision,
    congestion_surcharge double precision, total_amount double precision, payment_type integer,
    payment_type_description text
) partition by list (file_month);
create table analytics.fct_fhv_trips (
    trip_key text, filename text, file_month date, dispatching_base_num text, affiliated_base_number text,
    pickup_datetime timestamp, dropoff_datetime timestamp, pickup_location_id integer, dropoff_location_id integer,
    is_shared_ride boolean
) partition by list (file_month);
create table analytics.fct_monthly_zone_revenue (
    service text, file_month date, pickup_location_id integer, trips bigint, total_amount double precision)"""

_MONTH = """
create unlogged table analytics.{name} partition of analytics.fct_trips for values in ('{month}-01');
insert into analytics.{name}
select md5(number::text), service, service || '_tripdata_{month}.csv', '{month}-01', vendor, 1,
    pickup, pickup + interval '1 second' * (60 + 3000 * random()), 1 + floor(265 * random()), 1 + floor(265 * random()),
    'N', 1, round((20 * random() ^ 3)::numeric, 2), 1, fare, 0.5, 0.5, 2.1, 0, null, 0.3, 2.5, fare + 5.9,
    1 + floor(4 * random()), (array['Credit card', 'Cash', 'No charge', 'Dispute'])[1 + floor(4 * random())::int]
from (
    select number, case when random() < 0.1 then 'green' else 'yellow' end as service,
        case when random() < 0.3 then -1 else 2 end as vendor, round((70 * random() ^ 2)::numeric, 2) as fare,
        timestamp '{month}-01' + interval '1 second' * floor(28 * 86400 * random()) as pickup
    from generate_series(1, {rows}) as number
) as trips;
insert into analytics.fct_monthly_zone_revenue
select service, file_month, pickup_location_id, count(*), sum(total_amount)
from analytics.{name} group by 1, 2, 3;
comment on table analytics.{name} is 'the first build';
analyze analytics.{name}"""

_BUILD = "comment on table analytics.{name} is 'the build at {time}'"


def fill(url: str, months: Iterable[Month], rows: int) -> None:
    """Fill models with this many trips of green and yellow taxis in each of these months, and nothing else."""
    with connect(url) as connection:
        execute(connection, _TABLES)
        for month in months:
            execute(connection, _MONTH.format(name=_partition(month), month=month, rows=rows))
        execute(connection, "checkpoint")


def pretend_build(url: str, month: Month) -> None:
    """Make reports count a month again, as they do after a build of it."""
    with connect(url) as connection:
        execute(connection, _BUILD.format(name=_partition(month), time=time.time()))


def _partition(month: Month) -> str:
    return f"fct_trips_{month}".replace("-", "_")

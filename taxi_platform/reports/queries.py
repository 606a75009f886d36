"""The SQL that counts the figures of a month in the models, and the functions that run it.

PostgreSQL does the counting: what comes back is a few thousand small rows at most, however many trips there are. Each
query reads one month, by the column that the models are built by; its parameters are the first days of that month and
of the next. What was counted of a month is kept in a small table, until dbt builds the month again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from taxi_platform.ledger.loaded import months_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres.connection import Connection, connect, execute, postgres_errors
from taxi_platform.reports.figures import DOLLARS, MILES, NOT_GIVEN, Row, ServiceFigures, figures_of
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

FARTHEST = 100  # miles; a distance that is negative or greater says more about the taximeter than about the trip
_LEAST = 0.001  # anything less is zero: the files have two decimal places
TRIPS, REVENUE, ZONES = (f"{MODELS_SCHEMA}.{model}" for model in ("fct_trips", "fct_monthly_zone_revenue", "dim_zones"))
DISPATCHED = {service: f"{MODELS_SCHEMA}.fct_{service}_trips" for service in ("fhv", "fhvhv")}
"""The facts of the services whose trips bases dispatch. One may be absent: models are built when months are loaded."""

_MODELS = (TRIPS, REVENUE, ZONES)
_ALL_EXIST = "select bool_and(to_regclass(name) is not null) from unnest(%s::text[]) as name"

# The months are read from a table that has one row per zone and month, not one per trip.
_MONTHS = f"select distinct file_month from {REVENUE}"
_ZONES = f"select location_id, zone, borough from {ZONES}"

_DAY = """case when pickup_datetime >= %(first)s and pickup_datetime < %(after)s
        then extract(day from pickup_datetime)::int end"""


def _sum(amount: str) -> str:
    """Return the SQL of a sum that leaves out NaN and infinity."""
    return (
        f"coalesce(sum({amount}) filter (where {amount} > '-infinity' and {amount} < 'infinity'), 0)::double precision"
    )


# Strays have no day, so that they add at most 24 rows, whatever their dates are.
_BY_HOUR = f"""
with trips as (
    select service, pickup_datetime, dropoff_datetime, total_amount, trip_distance, vendor_id = -1 as has_no_vendor
    from {TRIPS} where file_month = %(first)s
    {{dispatched_trips}}
)
select service, {_DAY} as day, extract(hour from pickup_datetime)::int as hour,
    count(*), {_sum("total_amount")},
    count(*) filter (where trip_distance between 0 and {FARTHEST}),
    coalesce(sum(trip_distance) filter (where trip_distance between 0 and {FARTHEST}), 0)::double precision,
    count(*) filter (where has_no_vendor),
    count(*) filter (where dropoff_datetime < pickup_datetime),
    count(*) filter (where total_amount < 0)
from trips
group by 1, 2, 3"""


def _bin(value: str, bounds: Sequence[int]) -> str:
    """Return the SQL of the bin of a distribution that a value falls into."""
    edges = ", ".join(map(str, (0, _LEAST, *bounds)))
    return f"coalesce(width_bucket({value}::double precision, array[{edges}]::double precision[]), {NOT_GIVEN})"


_DISTRIBUTIONS = f"""
select service, {_bin("trip_distance", MILES)} as miles, {_bin("fare_amount", DOLLARS)} as fare,
    payment_type_description, count(*)
from {TRIPS}
where file_month = %(first)s
group by 1, 2, 3, 4"""

_BY_ZONE = f"""
with counted as (
    select service, pickup_location_id, trips, total_amount from {REVENUE} where file_month = %(first)s
    {{dispatched_zones}}
)
select service, pickup_location_id, sum(trips)::bigint, {_sum("total_amount")} from counted group by 1, 2"""

_DISPATCHED = {
    "dispatched_trips": """
    union all
    select '{service}', pickup_datetime, dropoff_datetime, 0, null, dispatching_base_num is null
    from {trips} where file_month = %(first)s""",
    "dispatched_zones": """
    union all
    select '{service}', pickup_location_id, count(*), 0 from {trips} where file_month = %(first)s group by 2""",
}

FIGURES = f"{MODELS_SCHEMA}.report_figures"
_KEEP_FIGURES = f"""
create table if not exists {FIGURES} (file_month date primary key, version text not null, counted json not null);
comment on table {FIGURES} is 'What reports have counted of a build of a month.'"""
_KEEP_MONTH = f"""
insert into {FIGURES} values (%(first)s, %(version)s, %(counted)s)
on conflict (file_month) do update set version = excluded.version, counted = excluded.counted"""
_KEPT = f"select counted from {FIGURES} where file_month = %(first)s and version = %(version)s"

# A build writes its name into the comment of each partition. What somebody else has made is counted each time.
_BUILDS = """
select replace(right(relname, 7), '_', '-'),
    string_agg(concat(oid, ' ', obj_description(oid, 'pg_class')), ' ' order by oid)
from pg_class join pg_inherits on oid = inhrelid
where inhparent = any(select to_regclass(name) from unnest(%s::text[]) as name)
group by 1 having count(*) = count(obj_description(oid, 'pg_class'))"""

# Of the models that a service's figures are counted in.
_BUILT_AT = r"""
select service || '_tripdata_' || replace(right(relname, 7), '_', '-') || '.csv', min(built_at)
from unnest(%s::text[], %s::text[]) as models (service, model)
join pg_inherits on inhparent = to_regclass(model)
join pg_class on oid = inhrelid
cross join lateral cast(
    substring(obj_description(oid, 'pg_class') from '^Built by dbt .* at (\d{4}-\d\d-\d\dT[\d:.]+Z)\.$') as timestamptz
) as built_at
where built_at is not null
group by 1"""


def read_builds(url: str) -> dict[str, datetime]:
    """Return by file name when dbt began to build the models of its month, where their partitions say so.

    Errors are those of ``read_figures``.
    """
    models = {service: [DISPATCHED[service]] if service in DISPATCHED else [TRIPS, REVENUE] for service in SERVICES}
    pairs = [(service, model) for service, names in models.items() for model in names]
    with connect(url) as connection, postgres_errors(TRIPS):
        return dict(execute(connection, _BUILT_AT, [list(column) for column in zip(*pairs, strict=True)]).fetchall())


def read_reported_months(url: str, loaded: Mapping[str, LoadRecord]) -> list[Month]:
    """Return every month that the trip tables or the models have, in order. Errors are those of ``read_figures``."""
    months = {month for service in SERVICES.values() for month in months_of(service, loaded)}
    with connect(url) as connection, postgres_errors(REVENUE):
        if _exist(connection, *_MODELS):
            months |= {Month(day.year, day.month) for (day,) in execute(connection, _MONTHS).fetchall()}
    return sorted(months)


def read_figures(url: str, months: Iterable[Month], loaded: Mapping[str, LoadRecord]) -> Iterator[ServiceFigures]:
    """Yield the figures of each month and service that the models have trips of, one month at a time.

    The load records, by file name, have the numbers of rejected rows.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: the server does not answer, broke off or refuses.
    """
    with connect(url) as connection, postgres_errors(TRIPS):
        if not _exist(connection, *_MODELS):
            return
        built = [(service, trips) for service, trips in DISPATCHED.items() if _exist(connection, trips)]
        dispatched = {
            name: "".join(query.format(service=service, trips=trips) for service, trips in built)
            for name, query in _DISPATCHED.items()
        }
        statements = [query.format(**dispatched) for query in (_BY_HOUR, _DISTRIBUTIONS, _BY_ZONE)]
        partitioned = [TRIPS, REVENUE, *DISPATCHED.values()]
        builds: Mapping[str, str] = dict(execute(connection, _BUILDS, (partitioned,)).fetchall())
        zones = {number: names for number, *names in execute(connection, _ZONES).fetchall()}
        for month in months:
            texts = "\0".join([builds.get(str(month), ""), *statements])
            version = hashlib.sha256(texts.encode()).hexdigest() if str(month) in builds else ""
            counted = _count_once(connection, month, statements, version)
            yield from _figures(month, counted, zones, loaded)


def _exist(connection: Connection, *names: str) -> bool:
    return execute(connection, _ALL_EXIST, (list(names),)).fetchone() == (True,)


def _count_once(
    connection: Connection, month: Month, statements: Sequence[str], version: str
) -> Sequence[Sequence[Row]]:
    """Return the rows of each statement, kept ones if these have the version; the empty version is never kept."""
    parameters = {"first": month.first_day, "after": month.plus(1).first_day}
    if version and _exist(connection, FIGURES):
        for (kept,) in execute(connection, _KEPT, parameters | {"version": version}).fetchall():
            return kept
    counted = [execute(connection, statement, parameters).fetchall() for statement in statements]
    if version:
        with connection.transaction():
            execute(connection, "select pg_advisory_xact_lock(hashtext(%s))", (FIGURES,))  # two reports may create it
            execute(connection, _KEEP_FIGURES)
            execute(connection, _KEEP_MONTH, parameters | {"version": version, "counted": json.dumps(counted)})
    return counted


def _figures(
    month: Month, counted: Sequence[Sequence[Row]], zones: Mapping[int, Row], loaded: Mapping[str, LoadRecord]
) -> Iterator[ServiceFigures]:
    """Yield the figures of each service that has trips."""
    for service in SERVICES.values():
        hours, distributions, by_zone = ([row[1:] for row in rows if row[0] == service.name] for rows in counted)
        record = loaded.get(service.file_name(month))
        if hours:
            yield figures_of(
                service,
                month,
                hours=hours,
                distributions=distributions,
                zones=[(number, *zones[number], *sums) for number, *sums in by_zone if number in zones],
                rejected=record.rows_rejected if record else 0,
            )

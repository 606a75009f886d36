"""The SQL of the trips, byte for byte where a reader of the database or a later version depends on it."""

from dataclasses import replace

import pytest

from taxi_platform.postgres import tables
from taxi_platform.trips.columns import Column
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service
from taxi_platform_tests.support.trip_texts import MARCH

ALL = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def _spelled(name: str) -> str:
    """A timestamp as PostgreSQL prints it in the ISO style, by immutable functions only."""
    return (
        f"coalesce(case when isfinite({name}) then "
        f"lpad(extract(year from {name})::int::text, greatest(4, length(extract(year from {name})::int::text)), '0')"
        f" || '-' || lpad(extract(month from {name})::int::text, 2, '0')"
        f" || '-' || lpad(extract(day from {name})::int::text, 2, '0')"
        f" || ' ' || lpad(extract(hour from {name})::int::text, 2, '0')"
        f" || ':' || lpad(extract(minute from {name})::int::text, 2, '0')"
        f" || ':' || lpad(trunc(extract(second from {name}))::int::text, 2, '0')"
        f" || rtrim(rtrim(substr((extract(second from {name}) % 1)::text, 2), '0'), '.')"
        f" when {name} > timestamp '2000-01-01' then 'infinity' else '-infinity' end, '')"
    )


FHV_ID = (
    "md5(coalesce(dispatching_base_num, '')"
    f" || {_spelled('pickup_datetime')} || {_spelled('dropoff_datetime')}"
    " || coalesce(pulocationid, '') || coalesce(dolocationid, '') || coalesce(affiliated_base_number, ''))"
)


def test_the_identity_of_a_row_is_the_courses() -> None:
    assert tables.unique_row_id(FHV) == FHV_ID
    assert tables.unique_row_id(GREEN).endswith(
        " || coalesce(pulocationid, '') || coalesce(dolocationid, '')"
        " || coalesce(fare_amount::text, '') || coalesce(trip_distance::text, ''))"
    )


@pytest.mark.parametrize(
    ("version", "kind"), [(150018, "stored"), (170006, "stored"), (180000, "virtual"), (190000, "virtual")]
)
def test_the_table_of_a_service(version: int, kind: str) -> None:
    assert [*tables.create_table(FHV, version), *tables.create_rejects(FHV)] == [
        f"""
create table public.fhv_tripdata (
    unique_row_id text generated always as ({FHV_ID}) {kind},
    filename text not null,
    dispatching_base_num text,
    pickup_datetime timestamp,
    dropoff_datetime timestamp,
    pulocationid text,
    dolocationid text,
    sr_flag text,
    affiliated_base_number text
) partition by list (filename)""",
        *tables.comments(FHV),
        """
create table if not exists public.fhv_tripdata_rejects (
    filename text not null,
    line bigint not null,
    text text not null,
    reason text not null
)""",
        "comment on table public.fhv_tripdata_rejects is "
        "'Rows of fhv files that are not trips: their file and line, and why they were rejected.'",
    ]


def test_the_comments_are_the_contracts_descriptions() -> None:
    found = tables.comments(FHV)
    assert found[0] == f"comment on table public.fhv_tripdata is '{FHV.description}'"
    assert found[1:] == [
        "comment on column public.fhv_tripdata.unique_row_id is 'The course''s identifier of a trip: md5 of "
        "dispatching_base_num, pickup_datetime, dropoff_datetime, pulocationid, dolocationid, affiliated_base_number, "
        "concatenated without separators.'",
        "comment on column public.fhv_tripdata.filename is "
        "'The file that the row came from; the file''s month is the row''s month.'",
        *(f"comment on column public.fhv_tripdata.{column.name} is '{column.documentation}'" for column in FHV.columns),
    ]


@ALL
def test_every_column_has_a_type_and_a_comment_in_the_tables_order(service: Service) -> None:
    expected = ["unique_row_id", "filename", *(column.name for column in service.columns)]
    assert list(tables.column_types(service)) == list(tables.column_comments(service)) == expected


def test_the_table_of_a_month_can_be_attached_without_a_scan() -> None:
    assert tables.create_loading(YELLOW, MARCH) == (
        """
create table public.yellow_tripdata_2019_03_loading (
    like public.yellow_tripdata including generated including comments,
    constraint file_month check (filename is not null and filename = 'yellow_tripdata_2019-03.csv')
);
alter table public.yellow_tripdata_2019_03_loading alter column filename set default 'yellow_tripdata_2019-03.csv'"""
    )


def test_the_swap_of_a_month() -> None:
    assert [*tables.detach_and_drop(GREEN, MARCH), *tables.attach(GREEN, MARCH)] == [
        "alter table public.green_tripdata detach partition public.green_tripdata_2019_03",
        "drop table public.green_tripdata_2019_03",
        "alter table public.green_tripdata_2019_03_loading rename to green_tripdata_2019_03",
        "alter table public.green_tripdata attach partition public.green_tripdata_2019_03 "
        "for values in ('green_tripdata_2019-03.csv')",
    ]


def test_the_copy_names_the_columns_in_the_order_of_the_file() -> None:
    assert tables.copy_into_loading(FHV, MARCH, FHV.columns[2:0:-1]) == (
        "copy public.fhv_tripdata_2019_03_loading (dropoff_datetime, pickup_datetime) from stdin (format csv)"
    )


def test_the_fingerprint_of_a_contract_is_the_same_tomorrow() -> None:
    found = {service.name: tables.fingerprint(service) for service in SERVICES.values()}
    assert found == {"green": "95480415fdb7a429", "yellow": "cc3aec4edf424210", "fhv": "d58fd90637aa999a"}


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"source": "pickup_zone"}, True),
        ({"postgres": "integer"}, True),
        ({"is_code": False}, True),
        ({"description": "Where it began."}, False),
        ({"unit": "zones"}, False),
        ({"bigquery": "INTEGER"}, False),
        ({"aliases": ("zone",)}, False),
    ],
)
def test_the_fingerprint_changes_with_what_decides_about_values(change: dict[str, object], is_other: bool) -> None:
    columns = list(FHV.columns)
    columns[3] = replace(columns[3], **change)  # type: ignore[arg-type]
    changed = replace(FHV, columns=tuple(columns))
    assert (tables.fingerprint(changed) != tables.fingerprint(FHV)) is is_other


def test_the_fingerprint_changes_with_the_order_and_number_of_columns() -> None:
    more = (*FHV.columns, Column("x", postgres="text", bigquery="STRING", description="X."))
    for columns in (FHV.columns[::-1], FHV.columns[1:], more):
        assert tables.fingerprint(replace(FHV, columns=columns)) != tables.fingerprint(FHV)


def test_a_quote_in_a_text_does_not_end_it() -> None:
    assert tables.literal("it's 'so'") == "'it''s ''so'''"

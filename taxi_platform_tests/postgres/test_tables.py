"""The SQL of the trip tables, byte for byte where users of the database or later versions depend on it."""

from dataclasses import replace

import pytest

from taxi_platform.postgres import tables
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service, column_comments

ALL = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def _spelled(name: str) -> str:
    """Return SQL for a timestamp as PostgreSQL prints it in the ISO style, with immutable functions only."""
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


@ALL
def test_every_column_has_a_type_and_a_comment_in_the_tables_order(service: Service) -> None:
    expected = ["unique_row_id", "filename", *(column.name for column in service.columns)]
    assert list(tables.column_types(service)) == list(column_comments(service)) == expected


def test_the_fingerprint_of_a_contract_does_not_change_between_versions() -> None:
    found = {service.name: tables.fingerprint(service) for service in SERVICES.values()}
    assert found == {
        "green": "95480415fdb7a429",
        "yellow": "cc3aec4edf424210",
        "fhv": "d58fd90637aa999a",
        "fhvhv": "f108cd985eed19c8",
    }


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
def test_the_fingerprint_changes_with_what_determines_the_values(change: dict[str, object], is_other: bool) -> None:
    columns = list(FHV.columns)
    columns[3] = replace(columns[3], **change)  # type: ignore[arg-type]
    changed = replace(FHV, columns=tuple(columns))
    assert (tables.fingerprint(changed) != tables.fingerprint(FHV)) is is_other


def test_a_quote_in_a_text_does_not_end_it() -> None:
    assert tables.literal("it's 'so'") == "'it''s ''so'''"

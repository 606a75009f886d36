"""Statements that a model writes: which are let through, and that nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.assistant.data.statement import LONGEST, StatementRefused, checked

TABLES = {"public.green_tripdata", "public.yellow_tripdata", "analytics.fct_trips"}
QUERIES = [
    "select count(*) as trips from green_tripdata where filename = 'green_tripdata_2020-04.csv'",
    "select date_trunc('day', lpep_pickup_datetime) as day, sum(total_amount) from public.green_tripdata group by 1",
    "select round(avg(tip_amount)::numeric, 2), count(*) filter (where tip_amount > 0) from analytics.fct_trips",
    "with g as (select pulocationid as p from green_tripdata) select count(*) from g where p in (select '1' from g)",
    "select 'green' as s, count(*) from green_tripdata union all select 'yellow', count(*) from YELLOW_tripdata",
    "select percentile_cont(0.5) within group (order by fare_amount) from green_tripdata",
    "select a, rank() over (partition by b order by c desc nulls last) from fct_trips order by 1 limit 5 offset 2",
    "select extract(hour from lpep_pickup_datetime), case when a ~ '^x' then 1 else 2 end from green_tripdata",
]
REFUSED = {
    "select 1; select 2": "2 statements",
    "": "0 statements",
    "select count(*) from": "cannot be read as SQL",
    "delete from green_tripdata": "no SELECT but DELETE",
    "copy green_tripdata to program 'curl example.com'": "no SELECT but COPY",
    "explain analyze delete from green_tripdata": "no SELECT but",
    "with gone as (delete from green_tripdata returning 1) select count(*) from gone": "the part DELETE",
    "with new as (insert into green_tripdata select 1 returning 1) select 1 from new": "the part INSERT",
    "with recursive r as (select 1 as a union all select a from r) select a from r": "it is recursive",
    "select * into copied from green_tripdata": "the part INTO",
    "select 1 from green_tripdata for update": "the part LOCK",
    "select pg_sleep(100)": "the function pg_sleep",
    'select "pg_sleep"(100)': "the function pg_sleep",
    "select pg_catalog.pg_sleep(100)": "the part DOT",
    "select PG_READ_FILE('/etc/passwd')": "the function PG_READ_FILE",
    "select * from pg_read_file('/etc/passwd')": "the function pg_read_file",
    "select set_config('role', 'postgres', false)": "the function set_config",
    "select current_setting('data_directory')": "the function",
    "select lo_import('/etc/passwd')": "the function lo_import",
    "select * from dblink('host=example.com', 'select 1') as t (a int)": "the function dblink",
    "select query_to_xml('drop table green_tripdata', true, true, '')": "the function query_to_xml",
    "select count(*) from green_tripdata where (select pg_terminate_backend(1))": "the function pg_terminate_backend",
    "select repeat('x', 1000000000)": "the function",
    "select string_agg(a, b) from green_tripdata": "the function",
    "select * from generate_series(1, 1000000000)": "the function",
    "select 'pg_authid'::regclass": "the type REGCLASS",
    "select rolpassword from pg_authid": "pg_authid is none of the tables",
    "select 1 from ny_taxi.public.green_tripdata": "none of the tables",
    'select 1 from "GREEN_TRIPDATA"': "none of the tables",
    "select 1 from pg_roles where exists (with pg_roles as (select 1) select 1 from pg_roles)": "pg_roles is none",
    "select (select 1 from secrets) from green_tripdata": "secrets is none of the tables",
    "select $1": "the part",
    f"select {'1 + ' * LONGEST}1": "at most 10,000",
    f"select {'(' * 4000}1{')' * 4000}": "",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_known_tables_by_known_functions_is_let_through(query: str) -> None:
    assert checked(query, TABLES)


@pytest.mark.parametrize("statement", REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused_with_the_reason(statement: str) -> None:
    with pytest.raises(StatementRefused) as raised:
        checked(statement, TABLES)
    assert REFUSED[statement].lower() in str(raised.value).lower()


def test_what_is_let_through_is_written_anew_without_comments() -> None:
    written = checked("select/* ; drop table t */ 1 as a -- ; delete\n;", TABLES)
    assert written.split() == ["SELECT", "1", "AS", "a"]


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*"();,*'\"$", *" ".join([*QUERIES, *REFUSED]).split()])).map(" ".join)
)
def test_whatever_is_written_is_refused_or_stays_what_it_is_when_read_again(text: str) -> None:
    try:
        written = checked(text, TABLES)
    except StatementRefused:
        return
    assert checked(written, TABLES) == written


@given(
    function=st.from_regex(r"(pg|lo|dblink|set|query|txid|nextval)[a-z_]{0,20}", fullmatch=True),
    place=st.sampled_from(
        [
            "select {}",
            "select 1 from {}",
            "select 1 from green_tripdata where {} is null",
            "select count(*) filter (where {} > 0) from green_tripdata",
            "with a as (select {}) select 1 from a",
            "select 1 from green_tripdata order by {}",
            "select sum(1) over (order by {}) from green_tripdata",
            "select 1 union select {}",
            "select 1 from green_tripdata join yellow_tripdata on {}",
            "select coalesce(1, cast({} as int))",
            "select 1 limit {}",
        ]
    ),
)
def test_a_function_of_the_server_s_own_is_found_wherever_it_stands(function: str, place: str) -> None:
    with pytest.raises(StatementRefused):
        checked(place.format(f"{function}('a')"), TABLES)

{#-
Trips with their keys. A key is the md5 of a trip's file, the course's identifier, and a number for those that share it,
as two trips may: the course puts no separator between the values that it hashes. The number does not depend on where
the rows lie: those that are equal in the further columns too are the same row twice.
-#}
{% macro with_trip_keys(trips, services, further_columns) %}
    {{- adapter.dispatch('with_trip_keys')(trips, services, further_columns) -}}
{% endmacro %}

{% macro default__with_trip_keys(trips, services, further_columns) %}
    {%- set number -%}
        row_number() over (partition by filename, unique_row_id order by {{ further_columns | join(', ') }})
    {%- endset -%}
    select
        *,
        {{ trip_key('cast(' ~ number ~ ' as ' ~ type_string() ~ ')') }} as trip_key
    from {{ trips }}
    where {{ of_files(services) }}
{%- endmacro %}

{#-
PostgreSQL would sort all columns of a month to number its trips, in one process. So a build of a month looks for shared
identifiers first, among trips whose times are equal too, and there are none in nearly every month.
-#}
{% macro postgres__with_trip_keys(trips, services, further_columns) %}
    {%- set shared = find_shared_times(trips, services) if model.month else none -%}
    {%- if shared is none -%}
        {{- default__with_trip_keys(trips, services, further_columns) -}}
    {%- else -%}
        select
            *,
            {{ trip_key("'1'") }} as trip_key
        from {{ trips }}
        where {{ of_files(services) }}
        {%- if shared %} and {{ times() }} not in (select times from {{ shared }})
        union all
        {{ default__with_trip_keys(trips, services, further_columns) }} and {{ times() }} in (select times from {{ shared }})
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro trip_key(number) %}
    {{- dbt.hash(dbt.concat(['filename', 'unique_row_id', number])) -}}
{% endmacro %}

{#- The times of a month's trips that share an identifier, as a table of hashes that the build drops; empty if no trips do. -#}
{% macro find_shared_times(trips, services) %}
    {%- set twins, shared = table_of_month('twins'), table_of_month('shared') -%}
    {%- set month -%}
        (select {{ times() }} as times, filename, unique_row_id from {{ trips }} where {{ of_files(services) }}) as trips
    {%- endset -%}
    {%- call statement('twins') -%}
        create unlogged table {{ twins }} as {{ repeated('times', month) }}
    {%- endcall -%}
    {%- call statement('shared') -%}
        create unlogged table {{ shared }} as
        select distinct times
        from {{ month }}
        where times in (select times from {{ twins }})
        group by times, filename, unique_row_id
        having count(*) > 1
    {%- endcall -%}
    {{ return(shared if load_result('shared').response.rows_affected else '') }}
{% endmacro %}

{#- A hash of both times, which trips with one identifier share; trips that lack a time have one hash together. -#}
{% macro times() %}
    {{- 'coalesce(timestamp_hash_extended(pickup_datetime, timestamp_hash_extended(dropoff_datetime, 0)), 0)' -}}
{% endmacro %}

{#-
The numbers that come more than once in a column. PostgreSQL sorts the halves at the same time; in order, because a
hash table of millions of groups outgrows its memory, and nothing tells it how many there are.
-#}
{% macro repeated(number, rows) %}
    {%- for half in ['< 0', '>= 0'] %}
        select {{ number }}
        from (select {{ number }} from {{ rows }} where {{ number }} {{ half }} order by 1) as half
        group by 1
        having count(*) > 1
        {{- ' union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#-
The course's identifier of a trip, as the trips' tables have it. PostgreSQL would compute its column each time that it
is read, by an expression fit for a generated column, which takes four times as long as this one; they are the same.
-#}
{% macro unique_row_id(columns) %}
    {{- adapter.dispatch('unique_row_id')(columns) -}}
{% endmacro %}

{% macro postgres__unique_row_id(columns) %}md5(concat({{ columns | join(', ') }})){% endmacro %}

{% macro bigquery__unique_row_id(columns) %}unique_row_id{% endmacro %}

{#- The type of an amount of money, as the trips' tables have it. -#}
{% macro amount() %}{{ 'numeric' if target.type == 'bigquery' else 'double precision' }}{% endmacro %}

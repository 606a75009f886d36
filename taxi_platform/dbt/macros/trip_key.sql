{#-
Trips with their keys. A key is the md5 of a trip's file, the course's identifier, and a number for those that share it,
as two trips may: the course puts no separator between the values that it hashes. The number does not depend on where
the rows lie: those that are equal in the further columns too are the same row twice.
-#}
{% macro with_trip_keys(trips, services, further_columns) %}
    {{- adapter.dispatch('with_trip_keys')(trips, services, further_columns) -}}
{% endmacro %}

{% macro default__with_trip_keys(trips, services, further_columns) %}
    {#- By default PostgreSQL sorts NULL last and BigQuery first. -#}
    {%- set order = further_columns | join(' nulls last, ') ~ ' nulls last' -%}
    {%- set number = 'row_number() over (partition by filename, unique_row_id order by ' ~ order ~ ')' -%}
    select
        *,
        {{ trip_key('cast(' ~ number ~ ' as ' ~ type_string() ~ ')') }} as trip_key
    from {{ trips }}
    where {{ of_files(services) }}
{%- endmacro %}

{#-
PostgreSQL would sort all columns of a month to number its trips, in one process. So a build first assumes that no
two trips of its month share an identifier, and then numbers those that do; most months have none of them.
-#}
{% macro postgres__with_trip_keys(trips, services, further_columns) %}
    {%- if model.month and not model.shared -%}
        select
            *,
            {{ trip_key("'1'") }} as trip_key
        from {{ trips }}
        where {{ of_files(services) }}
    {%- else -%}
        {{ default__with_trip_keys(trips, services, further_columns) }}
        {%- if model.shared %} and {{ hashed(trip_key("'1'")) }} in (select hash from {{ model.shared }}){% endif -%}
    {%- endif -%}
{% endmacro %}

{% macro trip_key(number) %}
    {{- dbt.hash(dbt.concat(['filename', 'unique_row_id', number])) -}}
{% endmacro %}

{#- Number the trips of a month that was built as if no trips shared an identifier; returns whether none did. -#}
{% macro number_shared_keys(partition) %}
    {%- set shared = table_of_month('shared') -%}
    {%- call statement('shared') -%}
        create unlogged table {{ shared }} as {{ repeated_hashes('trip_key', partition) }}
    {%- endcall -%}
    {%- set found = load_result('shared').response.rows_affected -%}
    {%- if found -%}
        {%- do model.update({'shared': shared}) -%}
        {%- call statement('number') -%}
            delete from {{ partition }} where {{ hashed('trip_key') }} in (select hash from {{ shared }});
            insert into {{ partition }} ({{ get_quoted_csv(model.columns.keys() | list) }})
            {{ rows_of_month() }}
        {%- endcall -%}
        {%- do model.update({'shared': none}) -%}
    {%- endif -%}
    {%- do run_query('drop table ' ~ shared) -%}
    {{ return(not found) }}
{% endmacro %}

{% macro hashed(value) %}hashtextextended(cast({{ value }} as text), 0){% endmacro %}

{#-
The hashes that come more than once in a column. They are sorted, because a hash table of millions of groups outgrows its
memory, and nothing tells PostgreSQL how many there are.
-#}
{% macro repeated_hashes(column, relation) %}
    select hash
    from (select {{ hashed(column) }} as hash from {{ relation }} order by 1) as hashes
    group by 1
    having count(*) > 1
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

{#-
A trip's key: the file, the course's identifier, and a number for those that share it (two trips may, for the course puts
no separator between what it hashes). The number does not depend on the order in which the rows lie: rows that are
equal in these columns too are the same row twice.
-#}
{% macro trip_key(further_columns) %}
    {%- set number -%}
        row_number() over (partition by filename, unique_row_id order by {{ further_columns | join(', ') }})
    {%- endset -%}
    {{ dbt.hash(dbt.concat(['filename', 'unique_row_id', 'cast(' ~ number ~ ' as ' ~ dbt.type_string() ~ ')'])) }}
{%- endmacro %}

{#- The type of an amount of money, as the trips' tables have it. -#}
{% macro amount() %}{{ 'numeric' if target.type == 'bigquery' else 'double precision' }}{% endmacro %}

{#-
dbt's test of unique values. PostgreSQL compares eight bytes of each value first, and reads the values themselves only
if these come more than once. The keys of a build are not compared again if it found none repeated, and nobody has
written since.
-#}
{% macro postgres__test_unique(model, column_name) %}
    {%- if column_name == 'trip_key' and counted().keys_are_unique -%}
        select 'none' as unique_field, 0 as n_records limit 0
    {%- else -%}
        select
            {{ column_name }} as unique_field,
            count(*) as n_records
        from {{ model }}
        where
            {{ column_name }} is not null
            and (select count(*) from ({{ repeated_hashes(column_name, model) }}) as hashes) > 0
        group by {{ column_name }}
        having count(*) > 1
    {%- endif -%}
{% endmacro %}

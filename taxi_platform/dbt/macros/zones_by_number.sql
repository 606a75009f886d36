{#-
The zones by their numbers as the files write them. Distinct, so that each number is written as text once: PostgreSQL
would do it for each trip that is compared with it, which takes three times as long.
-#}
{% macro zones_by_number() %}
    select distinct
        location_id,
        cast(location_id as {{ type_string() }}) as number
    from {{ ref('dim_zones') }}
{% endmacro %}

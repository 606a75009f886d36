{#- Files of which a fact does not have as many rows as the tables of these services. -#}
{% test same_rows_as_tables(model, services) %}
{%- set own = file_name('service' if services | length > 1 else "'" ~ services[0] ~ "'") %}
{%- set rows = counted().rows %}
select
    filename,
    sum(built) as built,
    sum(loaded) as loaded
from (
    select
        {{ 'filename' if rows else own }} as filename,
        {{ 'sum(trips)' if rows else 'count(*)' }} as built,
        0 as loaded
    from {{ as_subquery(rows) ~ ' as counts' if rows else model }}
    group by 1
    {%- for service in services %}
    union all
    select
        {{ file_name("'" ~ service ~ "'") }} as filename,
        0 as built,
        count(*) as loaded
    from {{ source('trips', service ~ '_tripdata') }}
    where {{ of_files([service]) }}
    group by 1
    {%- endfor %}
) as counted
group by filename
having sum(built) <> sum(loaded)
{% endtest %}

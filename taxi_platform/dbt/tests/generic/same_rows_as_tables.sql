{#- Files of which a fact has not as many rows as the tables of these services. -#}
{% test same_rows_as_tables(model, services) %}
select
    filename,
    sum(built) as built,
    sum(loaded) as loaded
from (
    select
        filename,
        count(*) as built,
        0 as loaded
    from {{ model }}
    group by filename
    {%- for service in services %}
    union all
    select
        filename,
        0 as built,
        count(*) as loaded
    from {{ source('trips', service ~ '_tripdata') }}
    where {{ of_files([service]) }}
    group by filename
    {%- endfor %}
) as counted
group by filename
having sum(built) <> sum(loaded)
{% endtest %}

{#- Trips with the number of a zone that the lookup does not know. Trips without a number are none of them. -#}
{% test in_the_lookup(model, column_name) %}
with trips as (
    select {{ column_name }} as number from {{ model }}
),

zones as (
    {{ zones_by_number() }}
)

select trips.number
from trips
left join zones on trips.number = zones.number
where trips.number is not null and zones.number is null
{% endtest %}

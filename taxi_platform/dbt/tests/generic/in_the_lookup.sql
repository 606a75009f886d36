{#- Trips with the number of a zone that the lookup does not know. Trips without a number are none of them. -#}
{% test in_the_lookup(model, column_name) %}
with trips as (
    select {{ column_name }} as location_id from {{ model }}
)

select trips.location_id
from trips
left join {{ ref('dim_zones') }} as zones
    on trips.location_id = cast(zones.location_id as {{ type_string() }})
where trips.location_id is not null and zones.location_id is null
{% endtest %}

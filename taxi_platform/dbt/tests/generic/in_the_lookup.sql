{#-
Trips with the number of a zone that the lookup does not know. Trips without a number are none of them. They are counted
by number first, so that the few numbers are compared, and not every trip.
-#}
{% test in_the_lookup(model, column_name) %}
{{ config(fail_calc='coalesce(sum(trips), 0)') }}
select
    counted.number,
    counted.trips
from (
    select
        {{ column_name }} as number,
        count(*) as trips
    from {{ model }}
    where {{ column_name }} is not null
    group by {{ column_name }}
) as counted
left join {{ ref('dim_zones') }} as zones on counted.number = cast(zones.location_id as {{ type_string() }})
where zones.location_id is null
{% endtest %}

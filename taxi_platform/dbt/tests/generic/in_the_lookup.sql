{#- Trips with the number of a zone that the lookup does not know. Trips without a number do not count. -#}
{% test in_the_lookup(model, column_name) %}
{{ config(fail_calc='coalesce(sum(trips), 0)') }}
select
    {{ column_name }} as number,
    count(*) as trips
from {{ model }}
where {{ column_name }} not in ({{ keys_of(ref('dim_zones'), 'cast(location_id as ' ~ type_string() ~ ')') }})
group by {{ column_name }}
{% endtest %}

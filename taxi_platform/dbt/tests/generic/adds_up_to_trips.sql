{#- Services and months that have not as many trips or not as much money as the trips that they are the sums of. -#}
{% test adds_up_to_trips(model, trips) %}
{%- set rows = counted(trips.identifier).rows %}
select
    service,
    file_month,
    sum(trips) as missing_trips,
    sum(total_amount) as missing_amount
from (
    select
        service,
        file_month,
        {{ 'sum(trips)' if rows else 'count(*)' }} as trips,
        sum(total_amount) as total_amount
    from {{ as_subquery(rows) ~ ' as counts' if rows else trips }}
    where {{ of_months() }}
    group by service, file_month
    union all
    select
        service,
        file_month,
        -sum(trips) as trips,
        -sum(total_amount) as total_amount
    from {{ model }}
    group by service, file_month
) as counted
group by service, file_month
having sum(trips) <> 0 or abs(sum(total_amount)) > 0.005
{% endtest %}

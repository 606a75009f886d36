-- What the taxis of a service took in a zone in a month of their files.

-- The zones are joined to the sums: PostgreSQL expects more groups by their names than it can count in memory.
with sums as (
    select
        service,
        file_month,
        pickup_location_id,
        count(*) as trips,
        sum(fare_amount) as fare_amount,
        sum(extra) as extra,
        sum(mta_tax) as mta_tax,
        sum(tip_amount) as tip_amount,
        sum(tolls_amount) as tolls_amount,
        sum(ehail_fee) as ehail_fee,
        sum(improvement_surcharge) as improvement_surcharge,
        sum(congestion_surcharge) as congestion_surcharge,
        sum(airport_fee) as airport_fee,
        sum(cbd_congestion_fee) as cbd_congestion_fee,
        sum(total_amount) as total_amount,
        cast(avg(passenger_count) as {{ type_float() }}) as average_passenger_count,
        cast(avg(trip_distance) as {{ type_float() }}) as average_trip_distance
    from {{ ref('fct_trips') }}
    where {{ of_months() }}
    group by service, file_month, pickup_location_id
)

select
    sums.service,
    sums.file_month,
    sums.pickup_location_id,
    zones.zone as pickup_zone,
    sums.trips,
    sums.fare_amount,
    sums.extra,
    sums.mta_tax,
    sums.tip_amount,
    sums.tolls_amount,
    sums.ehail_fee,
    sums.improvement_surcharge,
    sums.congestion_surcharge,
    sums.airport_fee,
    sums.cbd_congestion_fee,
    sums.total_amount,
    sums.average_passenger_count,
    sums.average_trip_distance
from sums
inner join {{ ref('dim_zones') }} as zones on sums.pickup_location_id = zones.location_id

-- What the taxis of a service took in a zone in a month of their files.

with trips as (
    select * from `project`.`dataset`.`fct_trips`
    where file_month is not null
)

select
    trips.service,
    trips.file_month,
    trips.pickup_location_id,
    zones.zone as pickup_zone,
    count(*) as trips,
    sum(trips.fare_amount) as fare_amount,
    sum(trips.extra) as extra,
    sum(trips.mta_tax) as mta_tax,
    sum(trips.tip_amount) as tip_amount,
    sum(trips.tolls_amount) as tolls_amount,
    sum(trips.ehail_fee) as ehail_fee,
    sum(trips.improvement_surcharge) as improvement_surcharge,
    sum(trips.congestion_surcharge) as congestion_surcharge,
    sum(trips.airport_fee) as airport_fee,
    sum(trips.cbd_congestion_fee) as cbd_congestion_fee,
    sum(trips.total_amount) as total_amount,
    cast(avg(trips.passenger_count) as FLOAT64) as average_passenger_count,
    cast(avg(trips.trip_distance) as FLOAT64) as average_trip_distance
from trips
inner join `project`.`dataset`.`dim_zones` as zones on trips.pickup_location_id = zones.location_id
group by trips.service, trips.file_month, trips.pickup_location_id, zones.zone

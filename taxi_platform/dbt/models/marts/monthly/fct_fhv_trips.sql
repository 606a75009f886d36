-- Every trip of the for-hire vehicles: one row for each row of their table, whatever it lacks.

with trips as (
    {{ with_trip_keys(ref('stg_fhv_tripdata'), ['fhv'], ['shared_ride_flag']) }}
),

pickup_zones as (
    {{ zones_by_number() }}
),

dropoff_zones as (
    {{ zones_by_number() }}
)

select
    trips.trip_key,
    trips.filename,
    trips.file_month,
    trips.dispatching_base_num,
    trips.affiliated_base_number,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    {{ minutes_between('trips.pickup_datetime', 'trips.dropoff_datetime') }} as trip_duration_minutes,
    coalesce(pickup_zones.location_id, -1) as pickup_location_id,
    coalesce(dropoff_zones.location_id, -1) as dropoff_location_id,
    coalesce(trips.shared_ride_flag = '1', false) as is_shared_ride
from trips
left join pickup_zones on trips.pickup_location_id = pickup_zones.number
left join dropoff_zones on trips.dropoff_location_id = dropoff_zones.number

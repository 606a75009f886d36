-- Every trip of the for-hire vehicles: one row for each row of their table, whatever it lacks.

{% set dimensions = {
    'pickup_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.pickup_location_id'},
    'dropoff_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.dropoff_location_id'},
} %}

with trips as (
    {{ with_trip_keys(ref('stg_fhv_tripdata'), ['fhv'], ['shared_ride_flag']) }}
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
    {{ value_of(dimensions, 'pickup_zones', 'location_id', '-1') }} as pickup_location_id,
    {{ value_of(dimensions, 'dropoff_zones', 'location_id', '-1') }} as dropoff_location_id,
    coalesce(trips.shared_ride_flag = '1', false) as is_shared_ride
from trips
{{ join_dimensions(dimensions) }}

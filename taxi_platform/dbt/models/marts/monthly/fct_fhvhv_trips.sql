-- Every trip of the high-volume for-hire vehicles: one row for each row of their table, whatever it lacks.

{% set dimensions = {
    'pickup_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.pickup_location_id'},
    'dropoff_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.dropoff_location_id'},
} %}

with trips as (
    {{ with_trip_keys(ref('stg_fhvhv_tripdata'), ['fhvhv'], [
        'originating_base_num', 'on_scene_datetime', 'trip_time', 'driver_pay', 'tips', 'tolls', 'bcf', 'sales_tax',
        'congestion_surcharge', 'airport_fee', 'cbd_congestion_fee', 'shared_match_flag', 'wav_match_flag',
    ]) }}
)

select
    trips.trip_key,
    trips.filename,
    trips.file_month,
    trips.hvfhs_license_num,
    case trips.hvfhs_license_num
        when 'HV0002' then 'Juno'
        when 'HV0003' then 'Uber'
        when 'HV0004' then 'Via'
        when 'HV0005' then 'Lyft'
        else 'Unknown'
    end as company,
    trips.dispatching_base_num,
    trips.originating_base_num,
    trips.request_datetime,
    trips.on_scene_datetime,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    {{ minutes_between('trips.pickup_datetime', 'trips.dropoff_datetime') }} as trip_duration_minutes,
    {{ value_of(dimensions, 'pickup_zones', 'location_id', '-1') }} as pickup_location_id,
    {{ value_of(dimensions, 'dropoff_zones', 'location_id', '-1') }} as dropoff_location_id,
    trips.trip_miles,
    trips.base_passenger_fare,
    trips.tolls,
    trips.bcf,
    trips.sales_tax,
    trips.congestion_surcharge,
    trips.airport_fee,
    trips.cbd_congestion_fee,
    trips.tips,
    trips.driver_pay,
    coalesce(trips.shared_match_flag = 'Y', false) as is_shared_ride,
    coalesce(trips.wav_match_flag = 'Y', false) as is_wheelchair_accessible
from trips
{{ join_dimensions(dimensions) }}

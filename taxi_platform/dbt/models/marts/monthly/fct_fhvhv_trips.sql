-- Every trip of the high-volume for-hire vehicles: one row for each row of their table, whatever it lacks.

with trips as (
    {{ with_trip_keys(ref('stg_fhvhv_tripdata'), ['fhvhv'], [
        'originating_base_num', 'on_scene_datetime', 'trip_time', 'driver_pay', 'tips',
    ]) }}
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
    coalesce(pickup_zones.location_id, -1) as pickup_location_id,
    coalesce(dropoff_zones.location_id, -1) as dropoff_location_id,
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
left join pickup_zones on trips.pickup_location_id = pickup_zones.number
left join dropoff_zones on trips.dropoff_location_id = dropoff_zones.number

-- Every trip of the for-hire vehicles: one row for each row of their table, whatever it lacks.



with trips as (
    select
        *,
        to_hex(md5(cast(filename || unique_row_id || cast(row_number() over (partition by filename, unique_row_id order by shared_ride_flag nulls last) as string) as string))) as trip_key
    from `project`.`dataset`.`stg_fhv_tripdata`
    where file_month is not null
)

select
    trips.trip_key,
    trips.filename,
    trips.file_month,
    trips.dispatching_base_num,
    trips.affiliated_base_number,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    timestamp_diff(trips.dropoff_datetime, trips.pickup_datetime, second) / 60 as trip_duration_minutes,
    coalesce(pickup_zones.location_id, -1) as pickup_location_id,
    coalesce(dropoff_zones.location_id, -1) as dropoff_location_id,
    coalesce(trips.shared_ride_flag = '1', false) as is_shared_ride
from trips

left join `project`.`dataset`.`dim_zones` as pickup_zones
    on cast(trips.pickup_location_id as string) = cast(pickup_zones.location_id as string)
left join `project`.`dataset`.`dim_zones` as dropoff_zones
    on cast(trips.dropoff_location_id as string) = cast(dropoff_zones.location_id as string)

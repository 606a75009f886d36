-- Every trip of the taxis: one row for each row of the trips' tables, whatever it lacks.



with trips as (
    select
        *,
        to_hex(md5(cast(filename || unique_row_id || cast(row_number() over (partition by filename, unique_row_id order by rate_code_id nulls last, store_and_fwd_flag nulls last, passenger_count nulls last, trip_type nulls last, extra nulls last, mta_tax nulls last, tip_amount nulls last, tolls_amount nulls last, ehail_fee nulls last, improvement_surcharge nulls last, congestion_surcharge nulls last, total_amount nulls last, payment_type nulls last, airport_fee nulls last, cbd_congestion_fee nulls last, request_source nulls last) as string) as string))) as trip_key
    from `project`.`dataset`.`int_trips`
    where file_month is not null
)

select
    trips.trip_key,
    trips.service,
    trips.filename,
    trips.file_month,
    coalesce(vendors.vendor_id, -1) as vendor_id,
    coalesce(rate_codes.rate_code_id, -1) as rate_code_id,
    coalesce(rate_codes.rate_code_description, 'Unknown') as rate_code_description,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    timestamp_diff(trips.dropoff_datetime, trips.pickup_datetime, second) / 60 as trip_duration_minutes,
    coalesce(pickup_zones.location_id, -1) as pickup_location_id,
    coalesce(dropoff_zones.location_id, -1) as dropoff_location_id,
    trips.store_and_fwd_flag,
    trips.passenger_count,
    trips.trip_distance,
    trips.trip_type,
    trips.fare_amount,
    trips.extra,
    trips.mta_tax,
    trips.tip_amount,
    trips.tolls_amount,
    trips.ehail_fee,
    trips.improvement_surcharge,
    trips.congestion_surcharge,
    trips.airport_fee,
    trips.cbd_congestion_fee,
    trips.total_amount,
    coalesce(payment_types.payment_type, -1) as payment_type,
    coalesce(payment_types.payment_type_description, 'Unknown') as payment_type_description,
    trips.request_source
from trips

left join `project`.`dataset`.`dim_vendors` as vendors
    on cast(trips.vendor_id as string) = cast(vendors.vendor_id as string)
left join `project`.`dataset`.`rate_codes` as rate_codes
    on cast(trips.rate_code_id as string) = cast(rate_codes.rate_code_id as string)
left join `project`.`dataset`.`dim_zones` as pickup_zones
    on cast(trips.pickup_location_id as string) = cast(pickup_zones.location_id as string)
left join `project`.`dataset`.`dim_zones` as dropoff_zones
    on cast(trips.dropoff_location_id as string) = cast(dropoff_zones.location_id as string)
left join `project`.`dataset`.`payment_types` as payment_types
    on cast(trips.payment_type as string) = cast(payment_types.payment_type as string)

-- Every trip of the taxis: one row for each row of the trips' tables, whatever it lacks.

{{ config(materialized='incremental', incremental_strategy='replace_months', tags=['of_months']) }}

select
    trips.trip_key,
    trips.service,
    trips.filename,
    trips.file_month,
    coalesce(vendors.vendor_id, -1) as vendor_id,
    coalesce(rate_codes.rate_code_id, -1) as rate_code_id,
    trips.pickup_datetime,
    trips.dropoff_datetime,
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
    trips.total_amount,
    coalesce(payment_types.payment_type, -1) as payment_type,
    coalesce(payment_types.payment_type_description, 'Unknown') as payment_type_description
from {{ ref('int_trips') }} as trips
left join {{ ref('dim_vendors') }} as vendors
    on trips.vendor_id = cast(vendors.vendor_id as {{ dbt.type_string() }})
left join {{ ref('rate_codes') }} as rate_codes
    on trips.rate_code_id = cast(rate_codes.rate_code_id as {{ dbt.type_string() }})
left join {{ ref('dim_zones') }} as pickup_zones
    on trips.pickup_location_id = cast(pickup_zones.location_id as {{ dbt.type_string() }})
left join {{ ref('dim_zones') }} as dropoff_zones
    on trips.dropoff_location_id = cast(dropoff_zones.location_id as {{ dbt.type_string() }})
left join {{ ref('payment_types') }} as payment_types
    on trips.payment_type = payment_types.payment_type
where {{ of_file_months(['green', 'yellow']) }}

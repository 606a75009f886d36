select
    {{ unique_row_id([
        'dispatching_base_num', 'pickup_datetime', 'dropoff_datetime', 'pulocationid', 'dolocationid',
        'affiliated_base_number',
    ]) }} as unique_row_id,
    {{ file_name("'fhv'") }} as filename,
    {{ file_month() }} as file_month,
    dispatching_base_num,
    affiliated_base_number,
    pickup_datetime,
    dropoff_datetime,
    pulocationid as pickup_location_id,
    dolocationid as dropoff_location_id,
    sr_flag as shared_ride_flag
from {{ source('trips', 'fhv_tripdata') }}

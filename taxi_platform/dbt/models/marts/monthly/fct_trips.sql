-- Every trip of the taxis: one row for each row of the trips' tables, whatever it lacks.

{% set dimensions = {
    'vendors': {'table': ref('dim_vendors'), 'key': 'vendor_id', 'number': 'trips.vendor_id'},
    'rate_codes': {'table': ref('rate_codes'), 'key': 'rate_code_id', 'number': 'trips.rate_code_id'},
    'pickup_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.pickup_location_id'},
    'dropoff_zones': {'table': ref('dim_zones'), 'key': 'location_id', 'number': 'trips.dropoff_location_id'},
    'payment_types': {'table': ref('payment_types'), 'key': 'payment_type', 'number': 'trips.payment_type'},
} %}

with trips as (
    {{ with_trip_keys(ref('int_trips'), ['green', 'yellow'], [
        'rate_code_id', 'store_and_fwd_flag', 'passenger_count', 'trip_type', 'extra', 'mta_tax', 'tip_amount',
        'tolls_amount', 'ehail_fee', 'improvement_surcharge', 'congestion_surcharge', 'total_amount', 'payment_type',
        'airport_fee', 'cbd_congestion_fee', 'request_source',
    ]) }}
)

select
    trips.trip_key,
    trips.service,
    trips.filename,
    trips.file_month,
    {{ value_of(dimensions, 'vendors', 'vendor_id', '-1') }} as vendor_id,
    {{ value_of(dimensions, 'rate_codes', 'rate_code_id', '-1') }} as rate_code_id,
    {{ value_of(dimensions, 'rate_codes', 'rate_code_description', "'Unknown'") }} as rate_code_description,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    {{ minutes_between('trips.pickup_datetime', 'trips.dropoff_datetime') }} as trip_duration_minutes,
    {{ value_of(dimensions, 'pickup_zones', 'location_id', '-1') }} as pickup_location_id,
    {{ value_of(dimensions, 'dropoff_zones', 'location_id', '-1') }} as dropoff_location_id,
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
    {{ value_of(dimensions, 'payment_types', 'payment_type', '-1') }} as payment_type,
    {{ value_of(dimensions, 'payment_types', 'payment_type_description', "'Unknown'") }} as payment_type_description,
    trips.request_source
from trips
{{ join_dimensions(dimensions) }}

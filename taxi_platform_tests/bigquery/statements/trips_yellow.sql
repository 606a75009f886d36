SELECT
  IF(
    LENGTH(COALESCE(passenger_count, '')) <= 9 AND REGEXP_CONTAINS(COALESCE(trip_distance, ''), r'^-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?$') AND LENGTH(COALESCE(payment_type, '')) <= 9 AND REGEXP_CONTAINS(COALESCE(fare_amount, ''), r'^-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?$'),
    TO_HEX(MD5(CONCAT(COALESCE(vendorid, ''), COALESCE(tpep_pickup_datetime, ''), COALESCE(tpep_dropoff_datetime, ''), COALESCE(pulocationid, ''), COALESCE(dolocationid, ''), COALESCE(REGEXP_REPLACE(IF(STRPOS(fare_amount, '.') > 0 AND STRPOS(fare_amount, 'e') = 0, RTRIM(RTRIM(fare_amount, '0'), '.'), NULLIF(fare_amount, '')), r'^(-?)(\.|$)', r'\10\2'), ''), COALESCE(REGEXP_REPLACE(IF(STRPOS(trip_distance, '.') > 0 AND STRPOS(trip_distance, 'e') = 0, RTRIM(RTRIM(trip_distance, '0'), '.'), NULLIF(trip_distance, '')), r'^(-?)(\.|$)', r'\10\2'), '')))),
    ERROR('taxi_platform: a row that needs the parser')
  ) AS unique_row_id,
  'yellow_tripdata_2019-03.csv' AS filename,
  NULLIF(vendorid, '') AS vendorid,
  TIMESTAMP(NULLIF(tpep_pickup_datetime, ''), 'UTC') AS tpep_pickup_datetime,
  TIMESTAMP(NULLIF(tpep_dropoff_datetime, ''), 'UTC') AS tpep_dropoff_datetime,
  CAST(NULLIF(passenger_count, '') AS INT64) AS passenger_count,
  CAST(NULLIF(trip_distance, '') AS NUMERIC) AS trip_distance,
  NULLIF(ratecodeid, '') AS ratecodeid,
  NULLIF(store_and_fwd_flag, '') AS store_and_fwd_flag,
  NULLIF(pulocationid, '') AS pulocationid,
  NULLIF(dolocationid, '') AS dolocationid,
  CAST(NULLIF(payment_type, '') AS INT64) AS payment_type,
  CAST(NULLIF(fare_amount, '') AS NUMERIC) AS fare_amount,
  CAST(NULLIF(extra, '') AS NUMERIC) AS extra,
  CAST(NULLIF(mta_tax, '') AS NUMERIC) AS mta_tax,
  CAST(NULLIF(tip_amount, '') AS NUMERIC) AS tip_amount,
  CAST(NULLIF(tolls_amount, '') AS NUMERIC) AS tolls_amount,
  CAST(NULLIF(improvement_surcharge, '') AS NUMERIC) AS improvement_surcharge,
  CAST(NULLIF(total_amount, '') AS NUMERIC) AS total_amount,
  CAST(NULLIF(congestion_surcharge, '') AS NUMERIC) AS congestion_surcharge,
  DATE '2019-03-01' AS file_month,
  42 AS file_version
FROM `trips-123.zoomcamp.yellow_tripdata_2019_03_staging_1a2b_0`

MERGE `trips-123.zoomcamp.green_tripdata` AS existing
USING (
  SELECT
    IF(
      LENGTH(COALESCE(passenger_count, '')) <= 9 AND REGEXP_CONTAINS(COALESCE(trip_distance, ''), r'^-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?$') AND REGEXP_CONTAINS(COALESCE(fare_amount, ''), r'^-?(0|[1-9][0-9]{0,10})?(\.[0-9]{0,4}0*)?$') AND LENGTH(COALESCE(payment_type, '')) <= 9 AND LENGTH(COALESCE(trip_type, '')) <= 9,
      TO_HEX(MD5(CONCAT(COALESCE(vendorid, ''), COALESCE(lpep_pickup_datetime, ''), COALESCE(lpep_dropoff_datetime, ''), COALESCE(pulocationid, ''), COALESCE(dolocationid, ''), COALESCE(REGEXP_REPLACE(IF(STRPOS(fare_amount, '.') > 0 AND STRPOS(fare_amount, 'e') = 0, RTRIM(RTRIM(fare_amount, '0'), '.'), NULLIF(fare_amount, '')), r'^(-?)(\.|$)', r'\10\2'), ''), COALESCE(REGEXP_REPLACE(IF(STRPOS(trip_distance, '.') > 0 AND STRPOS(trip_distance, 'e') = 0, RTRIM(RTRIM(trip_distance, '0'), '.'), NULLIF(trip_distance, '')), r'^(-?)(\.|$)', r'\10\2'), '')))),
      ERROR('taxi_platform: a row that needs the parser')
    ) AS unique_row_id,
    'green_tripdata_2019-03.csv' AS filename,
    NULLIF(vendorid, '') AS vendorid,
    TIMESTAMP(NULLIF(lpep_pickup_datetime, ''), 'UTC') AS lpep_pickup_datetime,
    TIMESTAMP(NULLIF(lpep_dropoff_datetime, ''), 'UTC') AS lpep_dropoff_datetime,
    NULLIF(store_and_fwd_flag, '') AS store_and_fwd_flag,
    NULLIF(ratecodeid, '') AS ratecodeid,
    NULLIF(pulocationid, '') AS pulocationid,
    NULLIF(dolocationid, '') AS dolocationid,
    CAST(NULLIF(passenger_count, '') AS INT64) AS passenger_count,
    CAST(NULLIF(trip_distance, '') AS NUMERIC) AS trip_distance,
    CAST(NULLIF(fare_amount, '') AS NUMERIC) AS fare_amount,
    CAST(NULLIF(extra, '') AS NUMERIC) AS extra,
    CAST(NULLIF(mta_tax, '') AS NUMERIC) AS mta_tax,
    CAST(NULLIF(tip_amount, '') AS NUMERIC) AS tip_amount,
    CAST(NULLIF(tolls_amount, '') AS NUMERIC) AS tolls_amount,
    CAST(NULLIF(ehail_fee, '') AS NUMERIC) AS ehail_fee,
    CAST(NULLIF(improvement_surcharge, '') AS NUMERIC) AS improvement_surcharge,
    CAST(NULLIF(total_amount, '') AS NUMERIC) AS total_amount,
    CAST(NULLIF(payment_type, '') AS INT64) AS payment_type,
    CAST(CAST(NULLIF(trip_type, '') AS INT64) AS STRING) AS trip_type,
    CAST(NULLIF(congestion_surcharge, '') AS NUMERIC) AS congestion_surcharge,
    CAST(NULL AS NUMERIC) AS cbd_congestion_fee,
    CAST(NULL AS STRING) AS request_source,
    DATE '2019-03-01' AS file_month,
    42 AS file_version
  FROM `trips-123.zoomcamp.green_tripdata_2019_03_staging_1a2b_0`
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND existing.file_month = DATE '2019-03-01' THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT (unique_row_id, filename, vendorid, lpep_pickup_datetime, lpep_dropoff_datetime, store_and_fwd_flag, ratecodeid, pulocationid, dolocationid, passenger_count, trip_distance, fare_amount, extra, mta_tax, tip_amount, tolls_amount, ehail_fee, improvement_surcharge, total_amount, payment_type, trip_type, congestion_surcharge, cbd_congestion_fee, request_source, file_month, file_version)
  VALUES (unique_row_id, filename, vendorid, lpep_pickup_datetime, lpep_dropoff_datetime, store_and_fwd_flag, ratecodeid, pulocationid, dolocationid, passenger_count, trip_distance, fare_amount, extra, mta_tax, tip_amount, tolls_amount, ehail_fee, improvement_surcharge, total_amount, payment_type, trip_type, congestion_surcharge, cbd_congestion_fee, request_source, file_month, file_version)

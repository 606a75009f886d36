MERGE `trips-123.zoomcamp.yellow_tripdata` AS there
USING (
  SELECT
    unique_row_id AS unique_row_id,
    'yellow_tripdata_2019-03.csv' AS filename,
    NULLIF(vendorid, '') AS vendorid,
    CAST(NULLIF(tpep_pickup_datetime, '') AS TIMESTAMP) AS tpep_pickup_datetime,
    CAST(NULLIF(tpep_dropoff_datetime, '') AS TIMESTAMP) AS tpep_dropoff_datetime,
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
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND there.file_month = DATE '2019-03-01' THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT (unique_row_id, filename, vendorid, tpep_pickup_datetime, tpep_dropoff_datetime, passenger_count, trip_distance, ratecodeid, store_and_fwd_flag, pulocationid, dolocationid, payment_type, fare_amount, extra, mta_tax, tip_amount, tolls_amount, improvement_surcharge, total_amount, congestion_surcharge, file_month, file_version)
  VALUES (unique_row_id, filename, vendorid, tpep_pickup_datetime, tpep_dropoff_datetime, passenger_count, trip_distance, ratecodeid, store_and_fwd_flag, pulocationid, dolocationid, payment_type, fare_amount, extra, mta_tax, tip_amount, tolls_amount, improvement_surcharge, total_amount, congestion_surcharge, file_month, file_version)

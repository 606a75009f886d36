SELECT
  TO_HEX(MD5(CONCAT(COALESCE(dispatching_base_num, ''), COALESCE(pickup_datetime, ''), COALESCE(dropoff_datetime, ''), COALESCE(pulocationid, ''), COALESCE(dolocationid, ''), COALESCE(affiliated_base_number, '')))) AS unique_row_id,
  'fhv_tripdata_2019-03.csv' AS filename,
  NULLIF(dispatching_base_num, '') AS dispatching_base_num,
  TIMESTAMP(NULLIF(pickup_datetime, ''), 'UTC') AS pickup_datetime,
  TIMESTAMP(NULLIF(dropoff_datetime, ''), 'UTC') AS dropoff_datetime,
  NULLIF(pulocationid, '') AS pulocationid,
  NULLIF(dolocationid, '') AS dolocationid,
  NULLIF(sr_flag, '') AS sr_flag,
  NULLIF(affiliated_base_number, '') AS affiliated_base_number,
  DATE '2019-03-01' AS file_month,
  42 AS file_version
FROM `trips-123.zoomcamp.fhv_tripdata_2019_03_staging_1a2b_0`

MERGE `trips-123.zoomcamp.fhv_tripdata` AS there
USING (
  SELECT
    unique_row_id AS unique_row_id,
    'fhv_tripdata_2019-03.csv' AS filename,
    NULLIF(dispatching_base_num, '') AS dispatching_base_num,
    CAST(NULLIF(pickup_datetime, '') AS TIMESTAMP) AS pickup_datetime,
    CAST(NULLIF(dropoff_datetime, '') AS TIMESTAMP) AS dropoff_datetime,
    NULLIF(pulocationid, '') AS pulocationid,
    NULLIF(dolocationid, '') AS dolocationid,
    NULLIF(sr_flag, '') AS sr_flag,
    NULLIF(affiliated_base_number, '') AS affiliated_base_number,
    DATE '2019-03-01' AS file_month,
    42 AS file_version
  FROM `trips-123.zoomcamp.fhv_tripdata_2019_03_staging_1a2b_0`
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND there.file_month = DATE '2019-03-01' THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT (unique_row_id, filename, dispatching_base_num, pickup_datetime, dropoff_datetime, pulocationid, dolocationid, sr_flag, affiliated_base_number, file_month, file_version)
  VALUES (unique_row_id, filename, dispatching_base_num, pickup_datetime, dropoff_datetime, pulocationid, dolocationid, sr_flag, affiliated_base_number, file_month, file_version)

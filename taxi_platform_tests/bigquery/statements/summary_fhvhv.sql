SELECT
  COUNT(*) AS row_count,
  0 AS cents,
  COALESCE(SUM(UNIX_SECONDS(pickup_datetime)), 0) AS pickup_seconds,
  COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(unique_row_id, 1, 8)) AS INT64)), 0) AS ids_1,
  COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(unique_row_id, 9, 8)) AS INT64)), 0) AS ids_9,
  COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(unique_row_id, 17, 8)) AS INT64)), 0) AS ids_17,
  COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(unique_row_id, 25, 8)) AS INT64)), 0) AS ids_25
FROM `trips-123.zoomcamp.fhvhv_tripdata`
WHERE file_month = DATE '2019-03-01'

SELECT
  'green_tripdata_2019-03.csv' AS filename,
  line,
  text,
  reason,
  DATE '2019-03-01' AS file_month,
  -42 AS file_version
FROM `trips-123.zoomcamp.green_tripdata_2019_03_staging_1a2b_0`

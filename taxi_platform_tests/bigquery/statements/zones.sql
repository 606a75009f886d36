CREATE OR REPLACE TABLE `trips-123.zoomcamp.green_tripdata`
OPTIONS (labels = [('app', 'taxi_platform')]) AS
SELECT * FROM UNNEST(ARRAY<STRUCT<locationid INT64, borough STRING>>[
  (1, 'EWR')
])

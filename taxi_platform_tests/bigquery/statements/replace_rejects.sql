MERGE `trips-123.zoomcamp.green_tripdata_rejects` AS there
USING (
  SELECT
    'green_tripdata_2019-03.csv' AS filename,
    line,
    text,
    reason,
    DATE '2019-03-01' AS file_month,
    -42 AS file_version
  FROM `trips-123.zoomcamp.green_tripdata_rejects_2019_03_staging_1a2b_0`
) AS incoming
ON FALSE
WHEN NOT MATCHED BY SOURCE AND there.file_month = DATE '2019-03-01' AND there.file_version = -42 THEN
  DELETE
WHEN NOT MATCHED BY TARGET THEN
  INSERT (filename, line, text, reason, file_month, file_version)
  VALUES (filename, line, text, reason, file_month, file_version)

SELECT file_version, COUNT(*) AS rows_there
FROM `trips-123.zoomcamp.green_tripdata`
WHERE file_month = DATE '2019-03-01'
GROUP BY file_version

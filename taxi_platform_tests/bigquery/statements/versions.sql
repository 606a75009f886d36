SELECT file_version, COUNT(*) AS row_count
FROM `trips-123.zoomcamp.green_tripdata`
WHERE file_month = DATE '2019-03-01'
GROUP BY file_version

SELECT file_month, COUNT(*) AS row_count
FROM `trips-123.zoomcamp.green_tripdata`
WHERE file_month >= DATE '1970-01-01'
GROUP BY file_month

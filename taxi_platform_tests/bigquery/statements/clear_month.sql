DELETE FROM `trips-123.zoomcamp.green_tripdata_rejects` WHERE file_month >= DATE '2019-03-01' AND file_month < DATE '2019-04-01'

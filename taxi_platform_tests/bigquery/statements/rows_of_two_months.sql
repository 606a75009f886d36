SELECT vendorid FROM `trips-123.zoomcamp.green_tripdata` WHERE file_month IN (DATE '2019-03-01', DATE '2019-04-01')

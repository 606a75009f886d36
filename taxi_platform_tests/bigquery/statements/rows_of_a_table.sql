SELECT * FROM `trips-123.zoomcamp.other`

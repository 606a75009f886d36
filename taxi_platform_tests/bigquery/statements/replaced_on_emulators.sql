BEGIN TRANSACTION;
DELETE FROM `trips-123.zoomcamp.green_tripdata` WHERE file_month >= DATE '2019-03-01' AND file_month < DATE '2019-04-01';
INSERT INTO `trips-123.zoomcamp.green_tripdata` (unique_row_id, filename, vendorid, lpep_pickup_datetime, lpep_dropoff_datetime, store_and_fwd_flag, ratecodeid, pulocationid, dolocationid, passenger_count, trip_distance, fare_amount, extra, mta_tax, tip_amount, tolls_amount, ehail_fee, improvement_surcharge, total_amount, payment_type, trip_type, congestion_surcharge, cbd_congestion_fee, request_source, file_month, file_version)
SELECT unique_row_id, filename, vendorid, lpep_pickup_datetime, lpep_dropoff_datetime, store_and_fwd_flag, ratecodeid, pulocationid, dolocationid, passenger_count, trip_distance, fare_amount, extra, mta_tax, tip_amount, tolls_amount, ehail_fee, improvement_surcharge, total_amount, payment_type, trip_type, congestion_surcharge, cbd_congestion_fee, request_source, file_month, file_version FROM (
SELECT 1
);
COMMIT TRANSACTION

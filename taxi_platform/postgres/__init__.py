"""PostgreSQL: the embedded server, the tables of trips, the loader and the I/O manager."""

"""PostgreSQL: connections, the embedded server, the tables of trips and their loader, and small tables."""

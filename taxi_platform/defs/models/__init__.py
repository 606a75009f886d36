"""The models of the trips, by dbt."""

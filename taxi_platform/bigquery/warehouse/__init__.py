"""The warehouse: the trips as tables in BigQuery."""

"""NYC taxi trips as a Dagster data platform. Nothing is imported here: every symbol has one path."""

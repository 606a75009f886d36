"""Checks on the tables of trips in PostgreSQL, and the schedule of those that no load brings along."""

"""The embedded PostgreSQL: its programs, its data directory and process, its start and stop. Nothing about trips."""

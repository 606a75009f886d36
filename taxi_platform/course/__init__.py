"""The course's small flows without Dagster: pulls of a Docker image, and products with their prices by brand."""

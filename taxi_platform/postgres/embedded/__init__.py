"""The embedded PostgreSQL: created, started, found and stopped. The trips in it are none of its business."""

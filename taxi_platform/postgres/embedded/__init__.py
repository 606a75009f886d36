"""The PostgreSQL that comes along: made, started, found and stopped. The trips in it are none of its business."""

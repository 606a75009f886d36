"""Chat without and with documents: the course's flows 10 and 11."""

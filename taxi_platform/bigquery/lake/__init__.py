"""The lake: verified trip files as objects in Cloud Storage."""

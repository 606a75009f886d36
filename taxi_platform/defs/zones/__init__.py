"""The taxi zones."""

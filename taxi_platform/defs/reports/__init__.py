"""Definitions of the reports."""

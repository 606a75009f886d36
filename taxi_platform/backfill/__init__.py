"""Backfills: the state of every month, what is to be loaded and why, who loads it, and how far it is."""

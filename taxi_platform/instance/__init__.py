"""Dagster's own state: where it is kept, how crashed runs are found, how long it is kept. Trips do not belong here."""

"""Pictures and tables of small results, for people. Pure: where the numbers come from does not belong here."""

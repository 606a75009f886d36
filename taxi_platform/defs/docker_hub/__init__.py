"""The course's second flow: a number from a web API, followed over time."""

"""``taxi doctor``: what is wrong with the machine, the servers and Dagster, and how to fix it. It changes nothing."""

"""The course's first flow: a greeting, an output that is passed on, a sleep, and a limit on how many run at once."""

"""How many runs of a job may be at it at once: slots that free themselves when their process dies."""

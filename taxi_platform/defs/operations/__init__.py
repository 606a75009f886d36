"""What keeps the platform running: alerts and what watches over runs."""

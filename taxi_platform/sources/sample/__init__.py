"""Made-up trips in the shape and with the dirt of the real ones, for any month of any service."""

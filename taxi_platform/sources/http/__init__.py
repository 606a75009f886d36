"""Files from an HTTP server: addresses, answers, retries, and downloads that outlive broken connections."""

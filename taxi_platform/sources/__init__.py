"""Where files come from: an HTTP server, a folder, or the sample generator; not what becomes of them."""

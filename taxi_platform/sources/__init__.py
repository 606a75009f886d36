"""Where files come from: an HTTP server, a folder or the sample; and the cache of verified files. Nothing is loaded."""

"""The raw files: what was fetched from the source, verified and kept, and how assets hand it on."""

"""Proposed assets: from a description to files that load, in a copy of the project that is thrown away."""

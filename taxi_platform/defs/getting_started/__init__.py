"""The course's third flow: download, keep, query."""

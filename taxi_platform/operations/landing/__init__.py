"""Trip files that are brought by hand: where they are dropped, when they are complete, where they go in the end.

How such a file is kept and loaded is nothing special, and stands elsewhere.
"""

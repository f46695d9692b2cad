"""Calls of several requests as plans without I/O: which statement comes next, and what the results add up to."""

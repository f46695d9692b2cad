"""libSQL server (sqld): Hrana over HTTP as a dialect."""

"""rqlite: SQLite, replicated by Raft, with an HTTP API."""

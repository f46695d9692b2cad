"""rqlite: SQLite, replicated by Raft, behind HTTP."""

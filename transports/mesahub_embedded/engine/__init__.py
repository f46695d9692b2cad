"""SQLite: connections, statements, values."""

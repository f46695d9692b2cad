"""What the client, database, table and file handles share: each plan of a call, and its loop."""

"""What people see, in a real Chromium: the server's page and the documentation. By ``make test-peers``."""

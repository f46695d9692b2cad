"""The server's page: databases, rows, a query box, files and keys in a browser.

It has no scripts, and loads nothing from elsewhere.
"""

"""Statements rewritten for an engine: exact values, many rows in one binding, INSERTs for many rows."""

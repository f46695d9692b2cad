"""Redaction: values and secrets that are never written to a cassette."""

"""A data folder: databases, keys, files."""

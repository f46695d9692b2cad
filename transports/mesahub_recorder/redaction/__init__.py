"""What never gets into a cassette: values that are redacted, and secrets."""

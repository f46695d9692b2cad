"""What asynchronous transports share, and how they are found. The contract itself is in `mesahub.transport`."""

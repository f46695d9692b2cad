"""What `mesahub.aio` needs beyond the classes that `scripts/asyncify.py` makes: written by hand."""

"""What is said: statements to requests, responses to answers. Pure, no I/O."""

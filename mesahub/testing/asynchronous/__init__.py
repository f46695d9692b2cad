"""The parts of the suite that hold for asynchronous transports alone."""

"""What becomes of a request for every fault of a provider: written by hand, run, compared, and printed."""

"""GitHub's releases of the runner: versions, names, digests."""

"""Measured claims: each `make bench-…` prints its table, with the other ways of doing the same beside ours."""

"""Defences taken out one at a time: each has tests that must see it."""

"""The live test: one instance in a real account takes one job of a test repository, watched, checked and taken away; docs/live.md."""

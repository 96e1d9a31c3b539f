"""The runner's archive: fetching it, unpacking it safely, putting the runner in its place."""

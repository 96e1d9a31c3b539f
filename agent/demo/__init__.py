"""`runs-fleet-agent demo`: the real `run` against the embedded cloud, watched live, every promise checked at the end."""

"""The stand-in runner: written from scratch after what is known of GitHub's, for the demo and the tests."""

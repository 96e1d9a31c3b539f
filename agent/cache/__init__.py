"""The runner cache in S3; a cache that fails is a cache that is skipped."""

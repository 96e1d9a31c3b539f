"""What has happened, on disk: facts, not plans. What is still owed follows from it."""

"""GitHub's runner: who runs it, how it is started and stopped, what it says, what it leaves behind."""

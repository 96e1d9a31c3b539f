"""From the files that the runner and the agent write to CloudWatch Logs."""

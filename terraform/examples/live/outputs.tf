output "launch_template" {
  description = "For --launch-template."
  value       = module.runs_fleet.launch_templates["x64"].name
}

output "bucket" {
  description = "For --bucket."
  value       = module.runs_fleet.bucket
}

output "queue_url" {
  description = "For --queue-url; nobody but the test reads it."
  value       = module.runs_fleet.queue_url
}

output "log_group" {
  description = "For --log-group."
  value       = module.runs_fleet.log_group
}

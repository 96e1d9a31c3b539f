output "launch_templates" {
  description = "What the orchestrator launches, by architecture."
  value       = module.runs_fleet.launch_templates
}

output "queue_url" {
  description = "What the orchestrator reads."
  value       = module.runs_fleet.queue_url
}

output "bucket" {
  description = "Where deployments/publish puts the agent."
  value       = module.runs_fleet.bucket
}

output "policy_json" {
  description = "What an instance may do."
  value       = module.runs_fleet.policy_json
}

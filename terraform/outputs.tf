output "bucket" {
  description = "Name of the bucket of the runner cache and the agent's artefacts."
  value       = local.bucket
}

output "queue_url" {
  description = "URL of the termination queue, which the orchestrator reads."
  value       = local.queue.url
}

output "queue_arn" {
  description = "ARN of the termination queue."
  value       = local.queue.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue; null where the queue was brought."
  value       = one(aws_sqs_queue.dead_letters[*].url)
}

output "log_group" {
  description = "Name of the log group."
  value       = local.log_group
}

output "role_arn" {
  description = "ARN of the instances' role: whoever launches them needs `iam:PassRole` on it."
  value       = local.role_arn
}

output "instance_profile_arn" {
  description = "ARN of the instance profile."
  value       = local.profile_arn
}

output "policy_json" {
  description = "The role's policy."
  value       = module.policy.json
}

output "bucket_policy_json" {
  description = "The bucket's policy; add its statements to that of a bucket that was brought."
  value       = local.bucket_policy_json
}

output "security_group_ids" {
  description = "Security groups of the instances."
  value       = local.security_group_ids
}

output "launch_templates" {
  description = "Id, name and latest version of each launch template, by architecture."
  value = {
    for arch, each in aws_launch_template.runner : arch => { id = each.id, name = each.name, version = each.latest_version }
  }
}

output "user_data" {
  description = "Each image's user data as it was before compression, by architecture."
  value       = local.user_data
}

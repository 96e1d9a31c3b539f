output "json" {
  description = "The policy, as IAM takes it."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

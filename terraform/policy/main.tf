# The policy of an instance: one file of statements/ each, in IAM's own JSON. It needs no provider, so it can be rendered
# and tested without an account.

locals {
  names = {
    partition          = var.partition
    dns_suffix         = var.dns_suffix
    region             = var.region
    account_id         = var.account_id
    parameter_prefix   = var.parameter_prefix
    bucket             = var.bucket
    queue_arn          = var.queue_arn
    log_group          = var.log_group
    runner_logs_bucket = try(var.runner_logs.bucket, null)
    runner_logs_prefix = try(var.runner_logs.prefix, null)
    parameters_key_arn = var.keys.parameters
    bucket_key_arn     = var.keys.bucket
    queue_key_arn      = var.keys.queue
  }

  wanted = {
    parameters       = true
    runner-cache     = true
    logs             = true
    queue            = true
    terminate-itself = true
    runner-logs      = var.runner_logs != null
    # A SecureString under aws/ssm, the default, needs none: that key's own policy lets all of the account decrypt through SSM.
    parameters-key = var.keys.parameters != null
    bucket-key     = var.keys.bucket != null
    queue-key      = var.keys.queue != null
  }

  # `terminate-itself` compares the instance that the role's credentials were delivered to (ec2:SourceInstanceARN, which only
  # the instance metadata service can put into a session) with the instance that is to be terminated (ec2:InstanceID).
  # `aws:userid` would say the same by the session's name, which whoever may assume the role can choose; `aws:ARN` is not
  # documented.
  statements = [
    for file, yes in local.wanted : jsondecode(templatefile("${path.module}/statements/${file}.json", local.names)) if yes
  ]
}

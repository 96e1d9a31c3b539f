# Made here, because the role may make streams in it, but no group.
resource "aws_cloudwatch_log_group" "agent" {
  count = var.existing.log_group == null ? 1 : 0

  name              = var.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.log_group
  tags              = var.tags
}

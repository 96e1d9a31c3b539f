data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  region     = data.aws_region.current.name
  account_id = data.aws_caller_identity.current.account_id

  bucket    = var.existing.bucket == null ? aws_s3_bucket.this[0].bucket : var.existing.bucket.name
  log_group = var.existing.log_group == null ? aws_cloudwatch_log_group.agent[0].name : var.existing.log_group.name
  queue = var.existing.queue == null ? {
    url = aws_sqs_queue.termination[0].url
    arn = aws_sqs_queue.termination[0].arn
  } : var.existing.queue
}

locals {
  queue_suffix = var.queue.fifo ? ".fifo" : ""
  queue_name   = "${var.name}-termination${local.queue_suffix}"
  queue_arn    = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.queue_name}"
}

# What the agent tells the orchestrator.
resource "aws_sqs_queue" "termination" {
  count = var.existing.queue == null ? 1 : 0

  name                              = local.queue_name
  fifo_queue                        = var.queue.fifo ? true : null
  visibility_timeout_seconds        = var.queue.visibility_timeout_seconds
  message_retention_seconds         = 4 * 24 * 3600
  receive_wait_time_seconds         = 20
  sqs_managed_sse_enabled           = var.kms_key_arns.queue == null ? true : null
  kms_master_key_id                 = var.kms_key_arns.queue
  kms_data_key_reuse_period_seconds = var.kms_key_arns.queue == null ? null : 3600
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[0].arn
    maxReceiveCount     = var.queue.max_receive_count
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EncryptedTransportOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.queue_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# Messages that the orchestrator has read again and again without being done with them.
resource "aws_sqs_queue" "dead_letters" {
  count = var.existing.queue == null ? 1 : 0

  name                              = "${var.name}-termination-dead-letters${local.queue_suffix}"
  fifo_queue                        = var.queue.fifo ? true : null
  message_retention_seconds         = 14 * 24 * 3600
  sqs_managed_sse_enabled           = var.kms_key_arns.queue == null ? true : null
  kms_master_key_id                 = var.kms_key_arns.queue
  kms_data_key_reuse_period_seconds = var.kms_key_arns.queue == null ? null : 3600
  tags                              = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.existing.queue == null && length(var.alarm_topic_arns) > 0 ? 1 : 0

  alarm_name          = "${var.name}-termination-dead-letters"
  alarm_description   = "The orchestrator could not deal with a message of an agent: read it in the dead-letter queue."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters[0].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

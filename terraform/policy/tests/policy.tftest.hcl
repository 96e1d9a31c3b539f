variables {
  region     = "eu-central-1"
  account_id = "123456789012"
  bucket     = "fleet-bucket"
  queue_arn  = "arn:aws:sqs:eu-central-1:123456789012:runs-fleet-termination"
}

run "five_statements_by_default" {
  command = plan

  assert {
    condition = toset([for each in jsondecode(output.json).Statement : each.Sid]) == toset([
      "ReadAndDeleteRunnerConfig", "UseRunnerCache", "WriteOwnLogs", "SendMessages", "TerminateItself",
    ])
    error_message = "The policy has other statements than the five that every instance needs."
  }

  assert {
    condition = toset(flatten([for each in jsondecode(output.json).Statement : each.Action])) == toset([
      "ssm:GetParameter", "ssm:DeleteParameter", "s3:GetObject", "s3:PutObject", "logs:CreateLogStream", "logs:PutLogEvents",
      "sqs:SendMessage", "ec2:TerminateInstances",
    ])
    error_message = "The policy allows other actions than the eight that the agent calls."
  }

  assert {
    condition     = alltrue([for each in jsondecode(output.json).Statement : each.Effect == "Allow" && each.Resource != "*"])
    error_message = "Each statement allows something on a resource that it names."
  }
}

run "it_may_terminate_itself_only" {
  command = plan

  assert {
    condition = one([
      for each in jsondecode(output.json).Statement : each.Condition if each.Sid == "TerminateItself"
      ]) == {
      ArnEquals = {
        "ec2:SourceInstanceARN" = "arn:aws:ec2:eu-central-1:123456789012:instance/$${ec2:InstanceID}"
      }
    }
    error_message = "TerminateInstances must be tied to the instance that holds the credentials."
  }
}

run "what_is_optional_adds_one_statement_each" {
  command = plan

  variables {
    runner_logs = { bucket = "log-bucket", prefix = "runner-logs" }
    keys = {
      parameters = "arn:aws:kms:eu-central-1:123456789012:key/1"
      bucket     = "arn:aws:kms:eu-central-1:123456789012:key/2"
      queue      = "arn:aws:kms:eu-central-1:123456789012:key/3"
    }
  }

  assert {
    condition = setsubtract(
      [for each in jsondecode(output.json).Statement : each.Sid],
      ["ReadAndDeleteRunnerConfig", "UseRunnerCache", "WriteOwnLogs", "SendMessages", "TerminateItself"],
    ) == toset(["UploadRunnerLogs", "DecryptRunnerConfig", "UseBucketKey", "UseQueueKey"])
    error_message = "Each option adds its own statement."
  }

  assert {
    condition = alltrue([
      for each in jsondecode(output.json).Statement : each.Condition.StringEquals["kms:ViaService"] != ""
      if anytrue([for action in flatten([each.Action]) : startswith(action, "kms:")])
    ])
    error_message = "A key may be used through its service only."
  }
}

run "another_partition" {
  command = plan

  variables {
    partition  = "aws-cn"
    dns_suffix = "amazonaws.com.cn"
    region     = "cn-north-1"
    queue_arn  = "arn:aws-cn:sqs:cn-north-1:123456789012:runs-fleet-termination.fifo"
  }

  assert {
    condition     = !strcontains(output.json, "arn:aws:")
    error_message = "An ARN of the wrong partition."
  }
}

run "a_wildcard_is_refused" {
  command = plan

  variables {
    parameter_prefix = "/*"
    bucket           = "*"
    queue_arn        = "*"
    log_group        = "*"
    account_id       = "*"
  }

  expect_failures = [var.parameter_prefix, var.bucket, var.queue_arn, var.log_group, var.account_id]
}

# Without an account and without a network: what the provider would compute is made up.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-central-1:123456789012:runs-fleet-termination"
      url = "https://sqs.eu-central-1.amazonaws.com/123456789012/runs-fleet-termination"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/runs-fleet-runner" }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/runs-fleet-runner" }
  }

  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
}

variables {
  vpc_id         = "vpc-0123456789abcdef0"
  agent_version  = "0.1.0"
  install_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  images = {
    x64 = {
      image_id     = "ami-0123456789abcdef0"
      agent_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
  }
}

run "with_defaults" {
  assert {
    condition     = aws_launch_template.runner["x64"].instance_initiated_shutdown_behavior == "terminate"
    error_message = "A power-off must be a termination."
  }

  assert {
    condition = (
      aws_launch_template.runner["x64"].metadata_options[0].http_tokens == "required"
      && aws_launch_template.runner["x64"].metadata_options[0].http_put_response_hop_limit == 1
    )
    error_message = "IMDSv2 only, and one hop."
  }

  assert {
    condition     = aws_launch_template.runner["x64"].key_name == null
    error_message = "No key pair."
  }

  assert {
    condition = (
      aws_launch_template.runner["x64"].block_device_mappings[0].ebs[0].encrypted == "true"
      && aws_launch_template.runner["x64"].block_device_mappings[0].ebs[0].volume_type == "gp3"
      && aws_launch_template.runner["x64"].block_device_mappings[0].ebs[0].delete_on_termination == "true"
    )
    error_message = "The root volume is encrypted gp3 and goes with its instance."
  }

  assert {
    condition     = length(aws_launch_template.runner["x64"].instance_market_options) == 0
    error_message = "On demand, unless spot is asked for."
  }

  assert {
    condition     = aws_launch_template.runner["x64"].name == "runs-fleet-runner-amd64"
    error_message = "The name is the one that runs-fleet looks up."
  }

  assert {
    condition = alltrue([
      for line in [
        "AWS_REGION=.?eu-central-1",
        "RUNS_FLEET_CONFIG_BUCKET=.?runs-fleet-123456789012-eu-central-1",
        "RUNS_FLEET_TERMINATION_QUEUE_URL=.?https://sqs.eu-central-1.amazonaws.com/123456789012/runs-fleet-termination",
        "RUNS_FLEET_LOG_GROUP=.?/runs-fleet/agent",
        "RUNS_FLEET_SECRETS_PATH_PREFIX=.?/runs-fleet/runners",
        "RUNS_FLEET_MAX_RUNTIME_MINUTES=.?360",
        "RUNS_FLEET_STANDBY_DEADLINE_MINUTES=.?120",
      ] : can(regex(line, output.user_data["x64"]))
    ])
    error_message = "A setting is missing from the user data."
  }

  assert {
    condition     = can(regex("OnBootSec=495min", output.user_data["x64"]))
    error_message = "The dead-man timer is standby + max runtime + 15 minutes."
  }

  assert {
    condition     = aws_launch_template.runner["x64"].user_data == base64gzip(output.user_data["x64"])
    error_message = "The launch template has the user data, compressed."
  }

  assert {
    condition = alltrue([
      for closed in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] :
      aws_s3_bucket_public_access_block.this[0][closed]
    ])
    error_message = "No public access of any kind."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule[*]).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "SSE-S3 by default: it needs no permission."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled"
    error_message = "Versioned."
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule : rule.id => rule.status } == { cached-runners = "Enabled", leftovers = "Enabled" }
    error_message = "Cached runners and old versions go by themselves."
  }

  assert {
    condition     = one([for each in jsondecode(output.bucket_policy_json).Statement : each if each.Effect == "Deny"]).Condition == { Bool = { "aws:SecureTransport" = "false" } }
    error_message = "Only over TLS."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.termination[0].redrive_policy).maxReceiveCount == 5
    error_message = "A message that is read five times goes to the dead-letter queue."
  }

  assert {
    condition     = aws_sqs_queue.termination[0].sqs_managed_sse_enabled && aws_sqs_queue.dead_letters[0].sqs_managed_sse_enabled
    error_message = "SSE-SQS: it needs no permission."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters[0].message_retention_seconds == 1209600
    error_message = "Dead letters stay for two weeks."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.dead_letters) == 0
    error_message = "No topic, no alarm."
  }

  assert {
    condition     = aws_security_group.instance[0].vpc_id == "vpc-0123456789abcdef0" && length(aws_vpc_security_group_egress_rule.ipv4) == 2
    error_message = "The group has the two ports out, and no ingress rule exists in this module."
  }

  assert {
    condition = one([for each in jsondecode(output.bucket_policy_json).Statement : each if each.Effect == "Allow"]) == {
      Sid       = "AgentAtBoot"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:role/runs-fleet-runner" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::runs-fleet-123456789012-eu-central-1/agent/*"
    }
    error_message = "This role may read agent/, and nothing else."
  }

  assert {
    condition     = aws_iam_role_policy.instance[0].policy == output.policy_json && length(jsondecode(output.policy_json).Statement) == 5
    error_message = "The role has the policy of policy/ and no other."
  }

  assert {
    condition     = one(jsondecode(aws_iam_role.instance[0].assume_role_policy).Statement).Principal == { Service = "ec2.amazonaws.com" }
    error_message = "Only EC2 may assume the role."
  }
}

run "with_options" {
  variables {
    baked                    = true
    agent_version            = ""
    install_sha256           = ""
    spot                     = true
    queue                    = { fifo = true }
    max_runtime_minutes      = 59.5
    standby_deadline_minutes = 1
    settings                 = { RUNS_FLEET_RUNNER_VERSION = "2.336.0", HTTPS_PROXY = "http://proxy.internal:3128", HTTP_PROXY = "http://proxy.internal:3128", NO_PROXY = "169.254.169.254" }
    alarm_topic_arns         = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    egress_ports             = null
    runner_logs              = { bucket = "runner-logs-bucket" }

    images = {
      x64   = { image_id = "ami-0123456789abcdef0" }
      arm64 = { image_id = "resolve:ssm:/images/runner/arm64", root_device_name = "/dev/sda1", instance_type = "m7g.large" }
    }

    kms_key_arns = {
      parameters = "arn:aws:kms:eu-central-1:123456789012:key/11111111-1111-1111-1111-111111111111"
      bucket     = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
      queue      = "arn:aws:kms:eu-central-1:123456789012:key/33333333-3333-3333-3333-333333333333"
      log_group  = "arn:aws:kms:eu-central-1:123456789012:key/44444444-4444-4444-4444-444444444444"
    }
  }

  assert {
    condition = alltrue([
      for line in ["RUNS_FLEET_RUNNER_VERSION=.?2.336.0", "HTTPS_PROXY=.?http://proxy.internal:3128", "HTTP_PROXY=.?http://proxy.internal:3128", "OnBootSec=76min"] :
      can(regex(line, output.user_data["x64"]))
    ])
    error_message = "Settings reach the user data; a part of a minute is rounded up."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_letters[0].threshold == 0
    error_message = "One dead letter is one too many."
  }

  assert {
    condition     = alltrue([for each in jsondecode(output.bucket_policy_json).Statement : each.Effect == "Deny"])
    error_message = "Nobody needs agent/ then."
  }

  assert {
    condition     = keys(output.launch_templates) == ["arm64", "x64"] && aws_launch_template.runner["arm64"].name == "runs-fleet-runner-arm64"
    error_message = "One launch template an architecture."
  }

  assert {
    condition     = aws_launch_template.runner["x64"].instance_market_options[0].spot_options[0].instance_interruption_behavior == "terminate"
    error_message = "A spot instance that is taken back is gone."
  }

  assert {
    condition     = aws_sqs_queue.termination[0].name == "runs-fleet-termination.fifo" && aws_sqs_queue.dead_letters[0].fifo_queue
    error_message = "Both queues are FIFO."
  }

  assert {
    condition = toset([for each in jsondecode(output.policy_json).Statement : each.Sid]) == toset([
      "ReadAndDeleteRunnerConfig", "UseRunnerCache", "WriteOwnLogs", "SendMessages", "TerminateItself",
      "DecryptRunnerConfig", "UseBucketKey", "UseQueueKey", "UploadRunnerLogs",
    ])
    error_message = "Each key but the log group's adds a statement, and so does runner_logs."
  }

  assert {
    condition     = endswith(aws_sqs_queue.termination[0].kms_master_key_id, "/33333333-3333-3333-3333-333333333333")
    error_message = "A key of one's own takes the place of SSE-SQS."
  }

  assert {
    condition     = aws_iam_role.instance[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary is set."
  }

  assert {
    condition     = [for each in aws_vpc_security_group_egress_rule.ipv4 : each.ip_protocol] == ["-1"]
    error_message = "egress_ports = null lifts the limit."
  }
}

run "a_longer_stop_postpones_the_dead_man" {
  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "110", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "60.5" }
  }

  assert {
    condition     = can(regex("OnBootSec=496min", output.user_data["x64"]))
    error_message = "What is over the defaults of grace period and finish timeout is added, rounded up to a minute."
  }
}

run "a_shorter_stop_leaves_the_dead_man_where_it_is" {
  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "10", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "" }
  }

  assert {
    condition     = can(regex("OnBootSec=495min", output.user_data["x64"]))
    error_message = "15 minutes are the least; an empty setting is one that is not set."
  }
}

run "everything_brought_nothing_made" {
  variables {
    vpc_id = null
    existing = {
      bucket           = { name = "their-bucket" }
      queue            = { url = "https://sqs.eu-central-1.amazonaws.com/210987654321/theirs", arn = "arn:aws:sqs:eu-central-1:210987654321:theirs" }
      log_group        = { name = "/their/group" }
      instance_profile = { arn = "arn:aws:iam::123456789012:instance-profile/theirs", role_arn = "arn:aws:iam::123456789012:role/theirs" }
      security_groups  = { ids = ["sg-11111111"] }
      launch_templates = true
    }
  }

  assert {
    condition = 0 == sum([
      length(aws_s3_bucket.this), length(aws_s3_bucket_policy.this), length(aws_sqs_queue.termination),
      length(aws_sqs_queue.dead_letters), length(aws_cloudwatch_log_group.agent), length(aws_iam_role.instance),
      length(aws_iam_role_policy.instance), length(aws_iam_instance_profile.instance), length(aws_security_group.instance),
      length(aws_vpc_security_group_egress_rule.ipv4), length(aws_launch_template.runner),
    ])
    error_message = "Something was made all the same."
  }

  assert {
    condition = alltrue([
      for line in ["RUNS_FLEET_CONFIG_BUCKET=.?their-bucket", "RUNS_FLEET_TERMINATION_QUEUE_URL=.?https://sqs.*/theirs", "RUNS_FLEET_LOG_GROUP=.?/their/group"] :
      can(regex(line, output.user_data["x64"]))
    ])
    error_message = "The settings name what was brought."
  }

  assert {
    condition = alltrue([
      for arn in ["arn:aws:s3:::their-bucket/runners/*", "arn:aws:sqs:eu-central-1:210987654321:theirs", "log-group:/their/group:"] :
      strcontains(output.policy_json, arn)
    ])
    error_message = "The policy names what was brought."
  }
}

run "a_role_that_was_brought_gets_the_policy_and_a_profile" {
  variables {
    existing = { role = { name = "their-role", arn = "arn:aws:iam::123456789012:role/their-role" } }
  }

  assert {
    condition     = aws_iam_role_policy.instance[0].role == "their-role" && aws_iam_instance_profile.instance[0].role == "their-role" && length(aws_iam_role.instance) == 0
    error_message = "The policy and the profile are for their role."
  }
}

run "user_data_over_16_kb_is_refused" {
  command = plan

  variables {
    # Digests do not compress. The queue is there already, so that the user data is known before anything is made.
    settings = { for i in range(400) : "RUNS_FLEET_X_${i}" => sha512(tostring(i)) }
    existing = {
      queue = { url = "https://sqs.eu-central-1.amazonaws.com/210987654321/theirs", arn = "arn:aws:sqs:eu-central-1:210987654321:theirs" }
    }
  }

  expect_failures = [aws_launch_template.runner]
}

run "the_minimal_example_is_planned" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  providers = {
    aws = aws
  }

  variables {
    region   = "eu-central-1"
    image_id = "ami-0123456789abcdef0"
  }
}

locals {
  environment = merge(var.settings, {
    AWS_REGION                          = local.region
    RUNS_FLEET_CONFIG_BUCKET            = local.bucket
    RUNS_FLEET_TERMINATION_QUEUE_URL    = local.queue.url
    RUNS_FLEET_LOG_GROUP                = local.log_group
    RUNS_FLEET_SECRETS_PATH_PREFIX      = var.parameter_prefix
    RUNS_FLEET_MAX_RUNTIME_MINUTES      = tostring(var.max_runtime_minutes)
    RUNS_FLEET_STANDBY_DEADLINE_MINUTES = tostring(var.standby_deadline_minutes)
  })

  # What a stop may take longer than by the agent's defaults, 90 and 60 s: those are in the 15 minutes.
  longer_stop_seconds = max(0, sum([
    for name, seconds in { RUNS_FLEET_GRACE_SECONDS = "90", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "60" } :
    tonumber(coalesce(lookup(var.settings, name, ""), seconds)) - tonumber(seconds)
  ]))

  cloud_init = "${path.module}/../deployments/cloud-init"

  user_data = {
    for arch, image in var.images : arch => templatefile("${local.cloud_init}/user-data.yaml.tftpl", {
      region           = local.region
      bucket           = local.bucket
      agent_version    = var.agent_version
      agent_sha256     = image.agent_sha256
      install_sha256   = var.install_sha256
      arch             = arch
      log_group        = local.log_group
      dead_man_minutes = ceil(var.standby_deadline_minutes + var.max_runtime_minutes + 15 + local.longer_stop_seconds / 60)
      environment      = local.environment
      baked            = var.baked
      docker_group     = var.docker_group
      boot_script      = file("${local.cloud_init}/boot.sh")
    })
  }

  # The names under which runs-fleet's orchestrator looks for them.
  template_arch = { x64 = "amd64", arm64 = "arm64" }
  instance_tags = merge(var.tags, { Name = "${var.name}-runner" })
}

resource "aws_launch_template" "runner" {
  for_each = var.existing.launch_templates ? {} : var.images

  name                                 = "${var.name}-runner-${local.template_arch[each.key]}"
  description                          = "An instance for one job, which ends itself"
  update_default_version               = true
  image_id                             = each.value.image_id
  instance_type                        = each.value.instance_type
  instance_initiated_shutdown_behavior = "terminate"
  vpc_security_group_ids               = local.security_group_ids
  user_data                            = base64gzip(local.user_data[each.key])
  tags                                 = var.tags

  iam_instance_profile {
    arn = local.profile_arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = each.value.root_device_name

    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume.size_gb
      iops                  = var.volume.iops
      throughput            = var.volume.throughput
      encrypted             = true
      kms_key_id            = var.volume.kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "instance_market_options" {
    for_each = var.spot ? ["spot"] : []

    content {
      market_type = instance_market_options.value

      spot_options {
        spot_instance_type             = "one-time"
        instance_interruption_behavior = "terminate"
      }
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = local.instance_tags
    }
  }

  lifecycle {
    precondition {
      # EC2: user data is at most 16 KB before base64, which makes four characters of three bytes.
      condition     = length(base64gzip(local.user_data[each.key])) <= 16384 / 3 * 4
      error_message = "The user data is over 16 KB even when compressed: shorten settings."
    }
  }
}

terraform {
  required_version = ">= 1.9, < 2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { managed-by = "terraform" }
  }
}

# Stock images, which fetch the agent that deployments/publish has put into the bucket. The digests are in the .sha256 files
# beside the artefacts.
module "runs_fleet" {
  source = "../.."

  name   = var.name
  vpc_id = var.vpc_id
  tags   = { team = "ci" }

  agent_version  = var.agent.version
  install_sha256 = var.agent.install_sha256
  images = {
    x64   = { image_id = var.image_ids.x64, agent_sha256 = var.agent.sha256.x64 }
    arm64 = { image_id = var.image_ids.arm64, agent_sha256 = var.agent.sha256.arm64 }
  }

  max_runtime_minutes      = 120
  standby_deadline_minutes = 60
  docker_group             = true
  settings = {
    RUNS_FLEET_GRACE_SECONDS     = "60"
    RUNS_FLEET_DISK_MIN_FREE_MB  = "2000"
    RUNS_FLEET_METRICS_NAMESPACE = "CI/Runners"
  }

  queue            = { visibility_timeout_seconds = 120, max_receive_count = 3 }
  alarm_topic_arns = var.alarm_topic_arns

  bucket_force_destroy = true
  cache_days           = 14
  log_retention_days   = 90

  volume       = { size_gb = 100, iops = 4000, throughput = 250 }
  egress_ports = [22, 80, 443]

  permissions_boundary_arn = var.permissions_boundary_arn
}

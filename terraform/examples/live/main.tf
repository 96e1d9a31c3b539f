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
}

# Everything has a name of its own, so that a fleet in the same account is not in the way.
module "runs_fleet" {
  source = "../.."

  name           = var.name
  vpc_id         = var.vpc_id
  log_group_name = "/${var.name}/agent"

  agent_version  = var.agent_version
  install_sha256 = var.install_sha256
  images         = { x64 = { image_id = var.image_id, agent_sha256 = var.agent_sha256 } }

  max_runtime_minutes      = var.max_runtime_minutes
  standby_deadline_minutes = 30
  docker_group             = var.docker_group
  settings                 = var.settings

  bucket_force_destroy = true
  log_retention_days   = 7
}

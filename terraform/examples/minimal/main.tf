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

variable "region" {
  description = "Region of everything."
  type        = string
}

variable "vpc_id" {
  description = "VPC in which instances are launched."
  type        = string
}

variable "image_id" {
  description = "An image with the agent in it, made by deployments/image."
  type        = string
}

module "runs_fleet" {
  source = "../.."

  vpc_id = var.vpc_id
  baked  = true
  images = { x64 = { image_id = var.image_id } }
}

output "launch_template" {
  description = "What the orchestrator launches."
  value       = module.runs_fleet.launch_templates["x64"].name
}

output "queue_url" {
  description = "What the orchestrator reads."
  value       = module.runs_fleet.queue_url
}

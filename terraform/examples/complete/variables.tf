variable "region" {
  description = "Region of everything."
  type        = string
}

variable "name" {
  description = "First part of every name."
  type        = string
  default     = "ci"
}

variable "vpc_id" {
  description = "VPC in which instances are launched."
  type        = string
}

variable "image_ids" {
  description = "A stock image with Python 3.11 or newer for each architecture, such as Debian 12."
  type        = object({ x64 = string, arm64 = string })
}

variable "agent" {
  description = "What deployments/publish has put into the bucket."
  type = object({
    version        = string
    sha256         = object({ x64 = string, arm64 = string })
    install_sha256 = string
  })
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role, where the account asks for one."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics of those who are on call."
  type        = list(string)
  default     = []
}

variable "partition" {
  description = "AWS partition, as in an ARN."
  type        = string
  default     = "aws"
}

variable "dns_suffix" {
  description = "DNS suffix of the partition, as in `kms:ViaService`."
  type        = string
  default     = "amazonaws.com"
}

variable "region" {
  description = "Region of everything that the instance calls."
  type        = string
}

variable "account_id" {
  description = "Account of everything that the instance calls."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Give the account as its 12 digits."
  }
}

variable "parameter_prefix" {
  description = "SSM path prefix of the runner configs."
  type        = string
  default     = "/runs-fleet/runners"

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.parameter_prefix))
    error_message = "Give a path such as /runs-fleet/runners: a slash first, none at the end, no wildcard."
  }
}

variable "bucket" {
  description = "Name of the bucket of the runner cache."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Give a bucket's name, not its ARN."
  }
}

variable "queue_arn" {
  description = "ARN of the termination queue."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+([.]fifo)?$", var.queue_arn))
    error_message = "Give the ARN of one queue, such as arn:aws:sqs:eu-central-1:123456789012:runs-fleet-termination."
  }
}

variable "log_group" {
  description = "Name of the log group."
  type        = string
  default     = "/runs-fleet/agent"

  validation {
    condition     = can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.log_group))
    error_message = "Give a log group's name, not its ARN, and no wildcard."
  }
}

variable "runner_logs" {
  description = "Where the orchestrator has the runner's `_diag` logs put (`runner_logs_bucket` and `runner_logs_prefix` of the runner config). Adds a statement."
  type = object({
    bucket = string
    prefix = string
  })
  default = null

  validation {
    condition     = var.runner_logs == null || can(regex("^[A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-]$", var.runner_logs.prefix))
    error_message = "Give a prefix without a slash at its end and without a wildcard, such as runner-logs."
  }
}

variable "keys" {
  description = "ARNs of customer managed KMS keys. Each adds a statement, for use through its one service only."
  type = object({
    parameters = optional(string)
    bucket     = optional(string)
    queue      = optional(string)
  })
  default  = {}
  nullable = false
}

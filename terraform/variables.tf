variable "name" {
  description = "First part of the name of everything that is made."
  type        = string
  default     = "runs-fleet"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "Give 2 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen at the end."
  }
}

variable "tags" {
  description = "Tags of everything that is made, instances and their volumes included."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "images" {
  description = "One launch template for each: the key is the architecture, `x64` or `arm64`. `agent_sha256` is the digest of the agent's artefact, needed where the image has no agent (`baked`); without `instance_type` whoever launches names one."
  type = map(object({
    image_id         = string
    root_device_name = optional(string, "/dev/xvda")
    agent_sha256     = optional(string, "")
    instance_type    = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.images), ["x64", "arm64"])) == 0
    error_message = "The keys are architectures as GitHub names them: x64, arm64."
  }

  validation {
    condition     = alltrue([for each in var.images : can(regex("^(ami-[0-9a-f]{8,17}|resolve:ssm:[A-Za-z0-9_./:-]+)$", each.image_id))])
    error_message = "Give each image as ami-… or resolve:ssm:parameter."
  }

  validation {
    condition     = alltrue([for each in var.images : can(regex("^/dev/[a-z0-9/]+$", each.root_device_name))])
    error_message = "Give the root device as the image names it: /dev/xvda (Amazon Linux, Debian) or /dev/sda1 (Ubuntu)."
  }

  validation {
    condition     = var.baked || alltrue([for each in var.images : can(regex("^[0-9a-f]{64}$", each.agent_sha256))])
    error_message = "Without a baked image, give each image's agent_sha256: 64 hexadecimal digits, as in the artefact's .sha256 file."
  }
}

variable "baked" {
  description = "Whether the images hold the agent already (`deployments/image`). Otherwise an instance fetches it at boot from `agent/` in the bucket, which the bucket's policy then lets the role read."
  type        = bool
  default     = false
  nullable    = false
}

variable "agent_version" {
  description = "Version of the agent that an instance fetches; needed unless `baked`."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.baked || can(regex("^[0-9]+[.][0-9]+[.][0-9]+[0-9A-Za-z.+-]*$", var.agent_version))
    error_message = "Without a baked image, give the version that deployments/publish has put into the bucket, such as 0.1.0."
  }
}

variable "install_sha256" {
  description = "SHA-256 of the `install.sh` published beside the artefact; needed unless `baked`."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.baked || can(regex("^[0-9a-f]{64}$", var.install_sha256))
    error_message = "Without a baked image, give the digest of install.sh: 64 hexadecimal digits."
  }
}

variable "settings" {
  description = "Further variables of the agent's environment (README, settings), such as `RUNS_FLEET_RUNNER_VERSION`. They are readable in the user data: no secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.settings) : can(regex("^(RUNS_FLEET_[A-Z0-9_]+|PREFECT_[A-Z0-9_]+|AWS_[A-Z0-9_]+|HTTPS?_PROXY|NO_PROXY)$", key))])
    error_message = "Only RUNS_FLEET_…, PREFECT_…, AWS_…, HTTPS_PROXY, HTTP_PROXY and NO_PROXY can be set."
  }

  validation {
    condition = (
      alltrue([for name in ["HTTPS_PROXY", "HTTP_PROXY"] : lookup(var.settings, name, "") == ""])
      || contains([for host in split(",", lookup(var.settings, "NO_PROXY", "")) : trimspace(host)], "169.254.169.254")
    )
    error_message = "Where a proxy is set, NO_PROXY must hold 169.254.169.254: no proxy reaches the instance's own metadata."
  }

  validation {
    condition = try(
      alltrue([
        for name in ["RUNS_FLEET_GRACE_SECONDS", "RUNS_FLEET_FINISH_TIMEOUT_SECONDS"] :
        tonumber(coalesce(lookup(var.settings, name, ""), "1")) > 0
        ]) && sum([
        for name, seconds in { RUNS_FLEET_GRACE_SECONDS = "90", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "60" } :
        tonumber(coalesce(lookup(var.settings, name, ""), seconds))
      ]) < 175,
      false,
    )
    error_message = "RUNS_FLEET_GRACE_SECONDS (90 when not set) and RUNS_FLEET_FINISH_TIMEOUT_SECONDS (60) are numbers above 0 and together under 175: systemd kills the agent 540 s after a stop request (TimeoutStopSec= in deployments/systemd). Lower one of them."
  }

  validation {
    condition     = alltrue([for value in values(var.settings) : can(regex("^[[:print:]]*$", value))])
    error_message = "A value is one line of printable ASCII."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "AWS_REGION", "RUNS_FLEET_CONFIG_BUCKET", "RUNS_FLEET_TERMINATION_QUEUE_URL", "RUNS_FLEET_LOG_GROUP",
      "RUNS_FLEET_SECRETS_PATH_PREFIX", "RUNS_FLEET_MAX_RUNTIME_MINUTES", "RUNS_FLEET_STANDBY_DEADLINE_MINUTES",
    ])) == 0
    error_message = "Region, bucket, queue, log group, parameter prefix, max runtime and standby deadline have variables of this module: the policy and the dead-man timer follow from them."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING",
      "RUNS_FLEET_GITHUB_TOKEN", "RUNS_FLEET_INSTANCE_ID",
    ])) == 0
    error_message = "User data is no place for a secret, nor for the id of one instance."
  }
}

variable "max_runtime_minutes" {
  description = "How long a job may run (`RUNS_FLEET_MAX_RUNTIME_MINUTES`)."
  type        = number
  default     = 360
  nullable    = false

  validation {
    condition     = var.max_runtime_minutes > 0 && var.max_runtime_minutes <= 7200
    error_message = "Give minutes, more than 0 and at most 7200: GitHub ends a job of a self-hosted runner after five days."
  }
}

variable "standby_deadline_minutes" {
  description = "How long an instance may wait for its runner config (`RUNS_FLEET_STANDBY_DEADLINE_MINUTES`)."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.standby_deadline_minutes > 0 && var.standby_deadline_minutes <= 10080
    error_message = "Give minutes, more than 0 and at most 10080, a week."
  }
}

variable "docker_group" {
  description = "Whether the runner's user may use Docker, which makes a job root on its instance."
  type        = bool
  default     = false
  nullable    = false
}

variable "parameter_prefix" {
  description = "SSM path prefix under which the orchestrator writes runner configs."
  type        = string
  default     = "/runs-fleet/runners"
  nullable    = false

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.parameter_prefix))
    error_message = "Give a path such as /runs-fleet/runners: a slash first, none at the end, no wildcard."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that is made; `{name}-{account}-{region}` when not set."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "Give a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "bucket_force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with what is in it: a cache, and the agent's artefacts."
  type        = bool
  default     = false
  nullable    = false
}

variable "cache_days" {
  description = "Days after which a cached runner is deleted; the next instance that needs it fetches it from GitHub and caches it again."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.cache_days >= 1 && floor(var.cache_days) == var.cache_days
    error_message = "Give whole days, at least 1."
  }
}

variable "log_group_name" {
  description = "Name of the log group that is made."
  type        = string
  default     = "/runs-fleet/agent"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.log_group_name))
    error_message = "Give 1 to 512 letters, digits and any of _ / . # -."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653 days."
  }
}

variable "queue" {
  description = "How the termination queue is made: FIFO or standard, how long its reader has for a message, and after how many reads a message goes to the dead-letter queue."
  type = object({
    fifo                       = optional(bool, false)
    visibility_timeout_seconds = optional(number, 60)
    max_receive_count          = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.queue.visibility_timeout_seconds >= 0 && var.queue.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds is 0 to 43200."
  }

  validation {
    condition     = var.queue.max_receive_count >= 1 && var.queue.max_receive_count <= 1000
    error_message = "max_receive_count is 1 to 1000."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told when a message lies in the dead-letter queue; none: no alarm is made."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_key_arns" {
  description = "Customer managed keys, by their ARN. `parameters` (what the orchestrator encrypts the runner configs with), `bucket` and `queue` each add a statement to the role's policy; `log_group` does not. Without them nothing is left unencrypted: `aws/ssm`, SSE-S3, SSE-SQS and CloudWatch's own key need no permission."
  type = object({
    parameters = optional(string)
    bucket     = optional(string)
    queue      = optional(string)
    log_group  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.kms_key_arns) : arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Give the ARN of a key, not of an alias: IAM compares keys."
  }
}

variable "runner_logs" {
  description = "Bucket and prefix of the runner's `_diag` logs, where the orchestrator asks for them in the runner config. Adds a statement to the role's policy: `s3:PutObject` on that prefix."
  type = object({
    bucket = string
    prefix = optional(string, "runner-logs")
  })
  default = null

  validation {
    condition     = var.runner_logs == null || can(regex("^[A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-]$", var.runner_logs.prefix))
    error_message = "Give a prefix without a slash at its end and without a wildcard, such as runner-logs."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role that is made."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "VPC of the security group that is made; needed unless `existing.security_groups`."
  type        = string
  default     = null

  validation {
    condition     = var.existing.security_groups != null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "Give vpc_id, or existing.security_groups."
  }
}

variable "egress_ports" {
  description = "TCP ports that an instance may open connections to, anywhere; null: whatever it likes. Nothing may ever connect to an instance. Resolver, clock and metadata of the VPC are reached in any case."
  type        = list(number)
  default     = [80, 443]

  validation {
    condition     = alltrue([for port in coalesce(var.egress_ports, []) : port >= 1 && port <= 65535 && floor(port) == port])
    error_message = "A port is 1 to 65535."
  }
}

variable "volume" {
  description = "The root volume: encrypted gp3, gone with its instance. `kms_key_arn` in place of the account's default key for EBS; whoever launches needs it then, the role does not."
  type = object({
    size_gb     = optional(number, 40)
    iops        = optional(number)
    throughput  = optional(number)
    kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.volume.size_gb >= 8 && var.volume.size_gb <= 16384
    error_message = "size_gb is 8 to 16384."
  }
}

variable "spot" {
  description = "Whether the launch templates ask for spot instances. Leave it off where the launch goes through a fleet, which says so itself."
  type        = bool
  default     = false
  nullable    = false
}

variable "existing" {
  description = "What is there already and is to be used instead of made. `bucket`: nothing of it is changed; unless `baked`, add the statements of the output `bucket_policy_json` to its policy. `role`: gets the policy attached and an instance profile made. `instance_profile`: attach the output `policy_json` to its role yourself. `launch_templates = true`: none is made; take the output `user_data` into your own."
  type = object({
    bucket           = optional(object({ name = string }))
    queue            = optional(object({ url = string, arn = string }))
    log_group        = optional(object({ name = string }))
    role             = optional(object({ name = string, arn = string }))
    instance_profile = optional(object({ arn = string, role_arn = string }))
    security_groups  = optional(object({ ids = list(string) }))
    launch_templates = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.existing.role == null || var.existing.instance_profile == null
    error_message = "Give existing.role or existing.instance_profile: a profile has its role."
  }

  validation {
    condition     = var.existing.queue == null || can(regex("^https://[^/]+/[0-9]{12}/[A-Za-z0-9_-]+([.]fifo)?$", var.existing.queue.url))
    error_message = "existing.queue.url is the queue's URL, such as https://sqs.eu-central-1.amazonaws.com/123456789012/runs-fleet-termination."
  }
}

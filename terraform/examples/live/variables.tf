variable "region" {
  description = "Region of everything."
  type        = string
}

variable "name" {
  description = "First part of every name."
  type        = string
  default     = "runs-fleet-live"
}

variable "vpc_id" {
  description = "VPC in which the instance is launched, with a way out."
  type        = string
}

variable "image_id" {
  description = "A stock image for x64 whose root device is /dev/xvda, with Python 3.11 or newer, such as Debian 12."
  type        = string
}

variable "agent_version" {
  description = "Version that make artefact has built, as in the file's name under dist/."
  type        = string
}

variable "agent_sha256" {
  description = "Digest of the artefact, from its .sha256 file under dist/."
  type        = string
}

variable "install_sha256" {
  description = "Digest of deployments/install/install.sh."
  type        = string
}

variable "max_runtime_minutes" {
  description = "How long a job may run; 1 for the scenario max-runtime."
  type        = number
  default     = 60
}

variable "docker_group" {
  description = "Whether the job may use Docker; true for the scenario crash."
  type        = bool
  default     = false
}

variable "settings" {
  description = "Further variables of the agent's environment; the doctor says on the console what it finds."
  type        = map(string)
  default     = { RUNS_FLEET_DOCTOR_AT_BOOT = "true" }
}

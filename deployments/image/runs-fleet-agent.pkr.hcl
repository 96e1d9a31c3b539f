variable "region" {
  description = "Where the images are made."
  type        = string
}

variable "agent_version" {
  description = "Version of the agent, as in the name of its artefact."
  type        = string
}

variable "agent_sha256" {
  description = "SHA-256 of the agent's artefact, by architecture: { x64 = ..., arm64 = ... }."
  type        = map(string)
}

variable "artefact_dir" {
  description = "Where `make artefact` has put the artefacts."
  type        = string
  default     = "../../dist"
}

variable "runner_version" {
  description = "Version of GitHub's runner, such as 2.336.0. GitHub gives no jobs to one that is 30 days behind: bake anew."
  type        = string
}

variable "runner_sha256" {
  description = "SHA-256 of the runner's archive as GitHub publishes it, by architecture: { x64 = ..., arm64 = ... }."
  type        = map(string)
}

variable "docker" {
  description = "Whether jobs find Docker, and the runner's user may use it: with that, a job can be root."
  type        = bool
  default     = false
}

variable "name_prefix" {
  description = "What the names of the images begin with."
  type        = string
  default     = "runs-fleet"

  validation {
    condition     = length(var.name_prefix) >= 3 && length(var.name_prefix) <= 60
    error_message = "Give 3 to 60 characters: EC2 allows 128 in the whole name."
  }
}

variable "tags" {
  description = "Tags of everything that is made, on top of what says what is in the image."
  type        = map(string)
  default     = {}
}

variable "instance_type" {
  description = "What the images are made on, by architecture."
  type        = map(string)
  default     = { x64 = "c7i.large", arm64 = "c7g.large" }
}

variable "kms_key_id" {
  description = "Key that the images are encrypted with. Empty: the account's own for EBS, with which they cannot be shared."
  type        = string
  default     = ""
}

variable "subnet_id" {
  description = "Where the images are made. Empty: in the default VPC."
  type        = string
  default     = ""
}

variable "ssh_interface" {
  description = "How Packer reaches the instance."
  type        = string
  default     = "public_ip"

  validation {
    condition     = contains(["public_ip", "private_ip", "session_manager"], var.ssh_interface)
    error_message = "Give public_ip, private_ip or session_manager."
  }
}

variable "iam_instance_profile" {
  description = "Role of the instance that an image is made on; session_manager needs one. Empty: none."
  type        = string
  default     = ""
}

locals {
  made = formatdate("YYYYMMDD-hhmmss", timestamp())
  tags = merge(var.tags, {
    "runs-fleet:agent-version"  = var.agent_version
    "runs-fleet:runner-version" = var.runner_version
    "runs-fleet:docker"         = var.docker
  })
}

source "amazon-ebs" "image" {
  region                      = var.region
  subnet_id                   = var.subnet_id
  ssh_interface               = var.ssh_interface
  iam_instance_profile        = var.iam_instance_profile
  associate_public_ip_address = var.ssh_interface == "public_ip"
  temporary_key_pair_type     = "ed25519"
  ssh_clear_authorized_keys   = true
  shutdown_behavior           = "terminate"
  encrypt_boot                = true
  kms_key_id                  = var.kms_key_id
  imds_support                = "v2.0"
  tags                        = local.tags
  snapshot_tags               = local.tags
  run_tags                    = local.tags
  run_volume_tags             = local.tags

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

build {
  source "amazon-ebs.image" {
    name          = "al2023-x64"
    ami_name      = "${var.name_prefix}-al2023-x64-${local.made}"
    instance_type = var.instance_type["x64"]
    ssh_username  = "ec2-user"

    # The full image: the minimal one has another name, and lacks the SSM agent.
    source_ami_filter {
      filters     = { name = "al2023-ami-2023.*-kernel-6.1-x86_64", architecture = "x86_64", virtualization-type = "hvm" }
      owners      = ["amazon"]
      most_recent = true
    }
  }

  source "amazon-ebs.image" {
    name          = "al2023-arm64"
    ami_name      = "${var.name_prefix}-al2023-arm64-${local.made}"
    instance_type = var.instance_type["arm64"]
    ssh_username  = "ec2-user"

    source_ami_filter {
      filters     = { name = "al2023-ami-2023.*-kernel-6.1-arm64", architecture = "arm64", virtualization-type = "hvm" }
      owners      = ["amazon"]
      most_recent = true
    }
  }

  source "amazon-ebs.image" {
    name          = "ubuntu24.04-x64"
    ami_name      = "${var.name_prefix}-ubuntu24.04-x64-${local.made}"
    instance_type = var.instance_type["x64"]
    ssh_username  = "ubuntu"

    # Canonical.
    source_ami_filter {
      filters     = { name = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", architecture = "x86_64", virtualization-type = "hvm" }
      owners      = ["099720109477"]
      most_recent = true
    }
  }

  source "amazon-ebs.image" {
    name          = "ubuntu24.04-arm64"
    ami_name      = "${var.name_prefix}-ubuntu24.04-arm64-${local.made}"
    instance_type = var.instance_type["arm64"]
    ssh_username  = "ubuntu"

    source_ami_filter {
      filters     = { name = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-*", architecture = "arm64", virtualization-type = "hvm" }
      owners      = ["099720109477"]
      most_recent = true
    }
  }

  # cloud-init still works on the machine for some seconds after SSH is up, and holds the package manager's lock.
  provisioner "shell" {
    inline = ["cloud-init status --wait || true", "mkdir -p /var/tmp/bake"]
  }

  provisioner "file" {
    source      = "${var.artefact_dir}/runs-fleet-agent-${var.agent_version}-${element(split("-", source.name), 1)}.pex"
    destination = "/var/tmp/bake/runs-fleet-agent.pex"
  }

  provisioner "file" {
    source      = "${path.root}/../install/install.sh"
    destination = "/var/tmp/bake/install.sh"
  }

  provisioner "shell" {
    script = "${path.root}/provision.sh"
    execute_command = join(" ", [
      "sudo bash {{ .Path }} --artefact /var/tmp/bake/runs-fleet-agent.pex --install /var/tmp/bake/install.sh",
      "--artefact-sha256 ${lookup(var.agent_sha256, element(split("-", source.name), 1), "none")}",
      "--runner-sha256 ${lookup(var.runner_sha256, element(split("-", source.name), 1), "none")}",
      "--runner-version ${var.runner_version} ${var.docker ? "--docker" : ""}",
    ])
  }

  provisioner "shell" {
    inline = ["rm -rf /var/tmp/bake"]
  }

  post-processor "manifest" {
    output = "manifest.json"
  }
}

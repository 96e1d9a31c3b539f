module "policy" {
  source = "./policy"

  partition        = local.partition
  dns_suffix       = local.dns_suffix
  region           = local.region
  account_id       = local.account_id
  parameter_prefix = var.parameter_prefix
  bucket           = local.bucket
  queue_arn        = local.queue.arn
  log_group        = local.log_group
  runner_logs      = var.runner_logs
  keys             = var.kms_key_arns
}

locals {
  makes_profile = var.existing.instance_profile == null
  makes_role    = local.makes_profile && var.existing.role == null

  role = local.makes_role ? {
    name = aws_iam_role.instance[0].name
    arn  = aws_iam_role.instance[0].arn
  } : var.existing.role
  role_arn    = local.makes_profile ? local.role.arn : var.existing.instance_profile.role_arn
  profile_arn = local.makes_profile ? aws_iam_instance_profile.instance[0].arn : var.existing.instance_profile.arn
}

resource "aws_iam_role" "instance" {
  count = local.makes_role ? 1 : 0

  name                 = "${var.name}-runner"
  description          = "What an instance of ${var.name} may do: its one job, and end itself."
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${local.dns_suffix}" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "instance" {
  count = local.makes_profile ? 1 : 0

  name   = "${var.name}-runner"
  role   = local.role.name
  policy = module.policy.json
}

resource "aws_iam_instance_profile" "instance" {
  count = local.makes_profile ? 1 : 0

  name = "${var.name}-runner"
  role = local.role.name
  tags = var.tags
}

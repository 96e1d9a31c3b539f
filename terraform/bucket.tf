# The cache of GitHub's runner (runners/) and the agent's artefacts (agent/).
resource "aws_s3_bucket" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket        = coalesce(var.bucket_name, "${var.name}-${local.account_id}-${local.region}")
  force_destroy = var.bucket_force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    bucket_key_enabled = var.kms_key_arns.bucket != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arns.bucket == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arns.bucket
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    id     = "cached-runners"
    status = "Enabled"

    filter {
      prefix = "runners/"
    }

    expiration {
      days = var.cache_days
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

locals {
  bucket_statements = concat(
    [{
      Sid       = "EncryptedTransportOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:${local.partition}:s3:::${local.bucket}", "arn:${local.partition}:s3:::${local.bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }],
    # The role's own policy has no statement for the boot: where the image is baked, nothing may read agent/ for good.
    [for yes in [!var.baked] : {
      Sid       = "AgentAtBoot"
      Effect    = "Allow"
      Principal = { AWS = local.role_arn }
      Action    = "s3:GetObject"
      Resource  = "arn:${local.partition}:s3:::${local.bucket}/agent/*"
    } if yes],
  )

  bucket_policy_json = jsonencode({ Version = "2012-10-17", Statement = local.bucket_statements })
}

resource "aws_s3_bucket_policy" "this" {
  count = var.existing.bucket == null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  policy = local.bucket_policy_json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# What each variable refuses; played on variables.tf alone, which needs no provider.

variables {
  vpc_id         = "vpc-0123456789abcdef0"
  agent_version  = "0.1.0"
  install_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  images = {
    x64 = {
      image_id     = "ami-0123456789abcdef0"
      agent_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
  }
}

run "what_is_right_is_taken" {
  command = plan
}

run "a_name_in_capitals" {
  command = plan

  variables {
    name = "Runs_Fleet"
  }

  expect_failures = [var.name]
}

run "an_architecture_by_its_other_name" {
  command = plan

  variables {
    images = { amd64 = { image_id = "ami-0123456789abcdef0", agent_sha256 = sha256("x") } }
  }

  expect_failures = [var.images]
}

run "an_image_by_its_name" {
  command = plan

  variables {
    images = { x64 = { image_id = "debian-12", agent_sha256 = sha256("x") } }
  }

  expect_failures = [var.images]
}

run "a_root_device_without_dev" {
  command = plan

  variables {
    images = { x64 = { image_id = "ami-0123456789abcdef0", root_device_name = "sda1", agent_sha256 = sha256("x") } }
  }

  expect_failures = [var.images]
}

run "an_image_without_agent_and_without_digest" {
  command = plan

  variables {
    images = { x64 = { image_id = "ami-0123456789abcdef0" } }
  }

  expect_failures = [var.images]
}

run "no_agent_version_although_it_is_fetched" {
  command = plan

  variables {
    agent_version = ""
  }

  expect_failures = [var.agent_version]
}

run "no_digest_of_install_sh" {
  command = plan

  variables {
    install_sha256 = "none"
  }

  expect_failures = [var.install_sha256]
}

run "a_variable_that_is_not_the_agents" {
  command = plan

  variables {
    settings = { PATH = "/tmp" }
  }

  expect_failures = [var.settings]
}

run "a_proxy_for_either_scheme" {
  command = plan

  variables {
    settings = { HTTP_PROXY = "http://proxy:3128", HTTPS_PROXY = "http://proxy:3128", NO_PROXY = "localhost, 169.254.169.254" }
  }
}

run "a_proxy_in_the_way_of_the_metadata" {
  command = plan

  variables {
    settings = { HTTP_PROXY = "http://proxy:3128", NO_PROXY = "localhost" }
  }

  expect_failures = [var.settings]
}

run "a_proxy_without_exceptions" {
  command = plan

  variables {
    settings = { HTTPS_PROXY = "http://proxy:3128" }
  }

  expect_failures = [var.settings]
}

run "the_longest_stop" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "114.9", RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "" }
  }
}

run "a_grace_period_beyond_the_units_stop_timeout" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "115" }
  }

  expect_failures = [var.settings]
}

run "a_finish_timeout_beyond_the_units_stop_timeout" {
  command = plan

  variables {
    settings = { RUNS_FLEET_FINISH_TIMEOUT_SECONDS = "300", RUNS_FLEET_GRACE_SECONDS = "5" }
  }

  expect_failures = [var.settings]
}

run "a_grace_period_that_is_no_number" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "90s" }
  }

  expect_failures = [var.settings]
}

run "a_negative_grace_period" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GRACE_SECONDS = "-5" }
  }

  expect_failures = [var.settings]
}

run "a_setting_of_two_lines" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GITHUB_URL = "https://github.com\nRUNS_FLEET_DRY_RUN=true" }
  }

  expect_failures = [var.settings]
}

run "a_setting_that_the_policy_follows_from" {
  command = plan

  variables {
    settings = { RUNS_FLEET_LOG_GROUP = "/other" }
  }

  expect_failures = [var.settings]
}

run "a_secret_in_user_data" {
  command = plan

  variables {
    settings = { RUNS_FLEET_GITHUB_TOKEN = "x" }
  }

  expect_failures = [var.settings]
}

run "one_instance_for_all" {
  command = plan

  variables {
    settings = { RUNS_FLEET_INSTANCE_ID = "i-0123456789abcdef0" }
  }

  expect_failures = [var.settings]
}

run "no_time_for_a_job" {
  command = plan

  variables {
    max_runtime_minutes = 0
  }

  expect_failures = [var.max_runtime_minutes]
}

run "a_spare_for_a_month" {
  command = plan

  variables {
    standby_deadline_minutes = 43200
  }

  expect_failures = [var.standby_deadline_minutes]
}

run "a_bucket_name_in_capitals" {
  command = plan

  variables {
    bucket_name = "My_Bucket"
  }

  expect_failures = [var.bucket_name]
}

run "half_a_day" {
  command = plan

  variables {
    cache_days = 0.5
  }

  expect_failures = [var.cache_days]
}

run "a_month_of_31_days" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "a_queue_that_nobody_may_read" {
  command = plan

  variables {
    queue = { max_receive_count = 0 }
  }

  expect_failures = [var.queue]
}

run "an_alias_for_a_key" {
  command = plan

  variables {
    kms_key_arns = { bucket = "arn:aws:kms:eu-central-1:123456789012:alias/mine" }
  }

  expect_failures = [var.kms_key_arns]
}

run "a_wildcard_for_a_prefix" {
  command = plan

  variables {
    runner_logs = { bucket = "runner-logs-bucket", prefix = "*" }
  }

  expect_failures = [var.runner_logs]
}

run "a_wildcard_for_parameters" {
  command = plan

  variables {
    parameter_prefix = "/*"
  }

  expect_failures = [var.parameter_prefix]
}

run "no_vpc" {
  command = plan

  variables {
    vpc_id = null
  }

  expect_failures = [var.vpc_id]
}

run "port_0" {
  command = plan

  variables {
    egress_ports = [443, 0]
  }

  expect_failures = [var.egress_ports]
}

run "a_volume_too_small_for_a_job" {
  command = plan

  variables {
    volume = { size_gb = 1 }
  }

  expect_failures = [var.volume]
}

run "a_queue_by_its_name" {
  command = plan

  variables {
    existing = { queue = { url = "theirs", arn = "arn:aws:sqs:eu-central-1:210987654321:theirs" } }
  }

  expect_failures = [var.existing]
}

run "a_role_and_a_profile" {
  command = plan

  variables {
    existing = {
      role             = { name = "x", arn = "arn:aws:iam::123456789012:role/x" }
      instance_profile = { arn = "arn:aws:iam::123456789012:instance-profile/y", role_arn = "arn:aws:iam::123456789012:role/y" }
    }
  }

  expect_failures = [var.existing]
}

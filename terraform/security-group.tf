locals {
  makes_group        = var.existing.security_groups == null
  security_group_ids = local.makes_group ? [aws_security_group.instance[0].id] : var.existing.security_groups.ids
  egress             = !local.makes_group ? {} : var.egress_ports == null ? { all = null } : { for port in var.egress_ports : port => port }
}

# No ingress rule: nothing has to reach an instance.
resource "aws_security_group" "instance" {
  count = local.makes_group ? 1 : 0

  name        = "${var.name}-runner"
  description = "Instances of ${var.name}: nothing in"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-runner" })
}

resource "aws_vpc_security_group_egress_rule" "ipv4" {
  for_each = local.egress

  security_group_id = aws_security_group.instance[0].id
  description       = each.value == null ? "Anything" : "TCP ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = each.value == null ? "-1" : "tcp"
  from_port         = each.value
  to_port           = each.value
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "ipv6" {
  for_each = local.egress

  security_group_id = aws_security_group.instance[0].id
  description       = each.value == null ? "Anything" : "TCP ${each.key}"
  cidr_ipv6         = "::/0"
  ip_protocol       = each.value == null ? "-1" : "tcp"
  from_port         = each.value
  to_port           = each.value
  tags              = var.tags
}

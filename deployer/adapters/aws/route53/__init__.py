"""Route 53: hosted zones, record sets, health checks."""

from deployer.adapters.aws.route53.dns import Route53

__all__ = ["Route53"]

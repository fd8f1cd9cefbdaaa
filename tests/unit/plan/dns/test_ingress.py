from __future__ import annotations

from typing import Any

import pytest

from deployer.plan.dns import Address, address_of

LB = "lb-1.eu-west-2.elb.amazonaws.com"


def ingress(host: str | None, *entries: dict[str, Any], name: str = "myapp") -> dict[str, Any]:
    rule = {"http": {}} if host is None else {"host": host, "http": {}}
    return {"metadata": {"name": name}, "spec": {"rules": [rule]}, "status": {"loadBalancer": {"ingress": [*entries]}}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], None),
        ([ingress("other.example.com", {"hostname": LB})], None),
        ([ingress(None, {"hostname": LB})], None),
        ([ingress("a.example.com", {"hostname": LB})], Address("myapp", LB)),
        ([ingress("*.example.com", {"hostname": LB})], Address("myapp", LB)),
        ([ingress("*.com", {"hostname": LB})], None),
        ([ingress("a.example.com", {"ip": "192.0.2.1"})], Address("myapp", None, "192.0.2.1")),
        ([ingress("a.example.com")], Address("myapp")),
        ([ingress("a.example.com"), ingress("a.example.com", {"hostname": LB}, name="b")], Address("b", LB)),
        ([{"metadata": {"name": "x"}, "spec": {"defaultBackend": {}}, "status": {}}], None),
        ([{"metadata": {"name": "x"}, "spec": None, "status": None}], None),
    ],
)
def test_the_address_of_a_host(found: list[dict[str, Any]], expected: Address | None) -> None:
    assert address_of(found, "a.example.com") == expected

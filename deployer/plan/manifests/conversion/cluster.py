"""Removed versions of what surrounds workloads: access, webhooks, budgets, endpoints, priorities, runtimes."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.model import Json
from deployer.plan.manifests.conversion.problem import CannotConvert, mapping
from deployer.plan.manifests.kinds import mappings

_RBAC_GROUP = "rbac.authorization.k8s.io"
_EMPTY_SELECTOR_KEY = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"


def subjects_by_group(manifest: Json) -> Iterator[str]:
    """`v1alpha1` subjects had an `apiVersion` where later ones have an `apiGroup`; the user `*` meant anyone known."""
    for subject in mappings(manifest.get("subjects")):
        group = str(subject.pop("apiVersion", "")).rpartition("/")[0]
        kind = subject.get("kind")
        subject["apiGroup"] = {"ServiceAccount": "", "User": _RBAC_GROUP, "Group": _RBAC_GROUP}.get(str(kind), group)
        if kind == "User" and subject.get("name") == "*":
            subject.update(kind="Group", name="system:authenticated")
            yield "the user * became the group system:authenticated"


def webhook_defaults(manifest: Json) -> Iterator[str]:
    """Defaults that became stricter are written out; side effects have to be declared by the author."""
    written: dict[str, None] = {}
    for index, webhook in enumerate(mappings(manifest.get("webhooks"))):
        if webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise CannotConvert(
                ("webhooks", index, "sideEffects"),
                "must say None or NoneOnDryRun",
                "only you know whether the webhook changes anything elsewhere, and whether it does on a dry run",
            )
        for key, value in (
            ("failurePolicy", "Ignore"),
            ("matchPolicy", "Exact"),
            ("timeoutSeconds", 30),
            ("admissionReviewVersions", ["v1beta1"]),
        ):
            if not webhook.get(key):
                webhook[key] = value
                written[key] = None
    if written:
        yield f"{', '.join(written)} written out as they were by default"


def named_signer(manifest: Json) -> Iterator[str]:
    """A request has to name its signer and what the certificate is for."""
    spec = mapping(manifest, "spec")
    if spec.get("signerName") in (None, "", "kubernetes.io/legacy-unknown"):
        raise CannotConvert(
            ("spec", "signerName"), "must name a signer", "for instance kubernetes.io/kube-apiserver-client"
        )
    if not spec.get("usages"):
        raise CannotConvert(("spec", "usages"), "must be given", 'for instance ["client auth"]')
    yield from ()


def zones_of_endpoints(manifest: Json) -> Iterator[str]:
    """`topology` became `zone` and `nodeName`; what else it held can no longer be written."""
    dropped = False
    for endpoint in mappings(manifest.get("endpoints")):
        topology = endpoint.pop("topology", None)
        if not isinstance(topology, dict):
            continue
        zone, node = topology.pop("topology.kubernetes.io/zone", None), topology.pop("kubernetes.io/hostname", None)
        if zone is not None:
            endpoint.setdefault("zone", zone)
        if node is not None:
            endpoint.setdefault("nodeName", node)
        dropped = dropped or bool(topology)
    if dropped:
        yield "topology beyond zone and node dropped: it cannot be written any more"


def handler_of_runtime(manifest: Json) -> Iterator[str]:
    """`v1alpha1` had its fields in a `spec`."""
    spec = manifest.pop("spec", None)
    if isinstance(spec, dict):
        for old, new in (("runtimeHandler", "handler"), ("overhead", "overhead"), ("scheduling", "scheduling")):
            if old in spec:
                manifest.setdefault(new, spec[old])
    yield from ()


def keep_empty_selector(manifest: Json) -> Iterator[str]:
    """An empty selector chose no pods; now it would choose all, so one that still chooses none takes its place."""
    spec = mapping(manifest, "spec")
    selector = spec.get("selector")
    if isinstance(selector, dict) and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        spec["selector"] = {"matchExpressions": [{"key": _EMPTY_SELECTOR_KEY, "operator": "Exists"}]}
        yield "the empty selector keeps choosing no pods, while {} in policy/v1 would choose all"


def nominal_shares(manifest: Json) -> Iterator[str]:
    """`assuredConcurrencyShares` was renamed."""
    limited = mapping(manifest, "spec").get("limited")
    if isinstance(limited, dict) and "assuredConcurrencyShares" in limited:
        limited["nominalConcurrencyShares"] = limited.pop("assuredConcurrencyShares")
        yield "assuredConcurrencyShares is called nominalConcurrencyShares"

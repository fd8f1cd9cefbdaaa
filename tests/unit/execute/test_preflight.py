"""Whether a cluster would let a release in: everything that stands in the way, and no more questions than needed."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.errors import ConfigurationError, DeployError, HeldError, Location, NotPermitted, UnreachableError
from deployer.execute.preflight import Entry, NoNamespace, check
from deployer.execute.work import RegionPorts
from deployer.model import Holder, Json, ObjectKey, Permission
from deployer.plan.manifests import PreparedManifests, SourceManifest
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases

HOLDER = Holder("20260101-x", "anna@laptop", "laptop", "2026-01-01T10:00:00+00:00")
PLACE = Location("apps/web.yml", 7)


def deployment(**spec: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "main"}], **spec}}},
    }


def ingress(name: str | None = None, annotation: str | None = None) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"}
        | ({"annotations": {"kubernetes.io/ingress.class": annotation}} if annotation else {}),
        "spec": {"ingressClassName": name} if name else {},
    }


def named(*names: str, **annotations: str) -> list[Json]:
    return [{"metadata": {"name": name, "annotations": annotations}} for name in names]


class Scene:
    def __init__(self, *objects: Json, refuse_held: bool = True, **cluster: Any) -> None:
        self.cluster = FakeCluster(**cluster)
        self.locks = FakeLocks()
        sources = tuple(SourceManifest(one, PLACE) for one in objects)
        self.entry = Entry(
            "web",
            "apps",
            RegionPorts(self.cluster, FakeReleases(), FakeProber(), self.locks),
            PreparedManifests("apps", objects, ("",) * len(objects), sources=sources),
            refuse_held=refuse_held,
        )

    def warnings(self) -> tuple[str, ...]:
        return check(self.entry)

    def errors(self) -> list[DeployError]:
        with pytest.raises(DeployError) as caught:
            check(self.entry)
        return list(caught.value.leaves())


def test_an_app_that_names_nothing_takes_two_questions() -> None:
    scene = Scene(deployment())
    assert scene.warnings() == ()
    assert scene.cluster.questions == ["get Namespace/apps", "denied"]


def test_a_lock_that_somebody_holds_stops_who_does_not_wait() -> None:
    scene = Scene(deployment())
    scene.locks.hold("web", HOLDER)
    (error,) = scene.errors()
    assert isinstance(error, HeldError)
    assert "anna@laptop" in str(error.why)
    waiting = Scene(deployment(), refuse_held=False)
    waiting.locks.hold("web", HOLDER)
    assert waiting.warnings() == ()


@pytest.mark.parametrize("state", [{"expires_in": 0.0}, {"alive": False}])
def test_a_lock_that_nobody_keeps_any_more_is_free(state: dict[str, Any]) -> None:
    scene = Scene(deployment())
    scene.locks.hold("web", HOLDER, **state)
    assert scene.warnings() == ()


@pytest.mark.parametrize(
    ("live", "what"),
    [({}, "there is no namespace apps"), ({"status": {"phase": "Terminating"}}, "apps is being deleted")],
)
def test_without_a_namespace_nothing_else_is_asked(live: Json, what: str) -> None:
    scene = Scene(ingress("nginx"), objects={ObjectKey("v1", "Namespace", None, "apps"): live})
    (error,) = scene.errors()
    assert isinstance(error, NoNamespace)
    assert what in error.what
    assert scene.cluster.questions == ["get Namespace/apps"]


def test_everything_that_we_may_not_do_is_told_at_once() -> None:
    lacking = [
        Permission("apps/v1", "Deployment", "create", "apps"),
        Permission("apps/v1", "Deployment", "patch", "apps"),
        Permission("v1", "Event", "list", "apps"),
    ]
    (error,) = Scene(deployment(), denies=lacking).errors()
    assert isinstance(error, NotPermitted)
    assert error.why == "missing: Event: list; Deployment (apps): create, patch"


def test_a_silent_cluster_is_asked_once() -> None:
    scene = Scene(deployment(), down=UnreachableError("no answer"))
    (error,) = scene.errors()
    assert (error.what, len(scene.cluster.questions)) == ("no answer", 1)


def test_a_class_that_is_missing_is_told_with_its_place_and_what_there_is() -> None:
    scene = Scene(
        ingress("ngnix"),
        deployment(priorityClassName="urgent"),
        lists={"IngressClass": named("nginx", "traefik"), "PriorityClass": named("high")},
    )
    wrong_ingress, wrong_priority = scene.errors()
    assert wrong_ingress.what == (
        "Ingress/web: spec.ingressClassName names the IngressClass ngnix, which the cluster does not have"
    )
    assert (wrong_ingress.where, wrong_ingress.hint) == (PLACE, "did you mean nginx? (the cluster has nginx, traefik)")
    assert isinstance(wrong_priority, ConfigurationError)
    assert wrong_priority.hint == "name another one, or have it made (the cluster has high)"


def test_classes_that_exist_are_well() -> None:
    scene = Scene(
        ingress("nginx"),
        ingress(annotation="nginx"),
        deployment(priorityClassName="high"),
        lists={"IngressClass": named("nginx"), "PriorityClass": named("high")},
    )
    assert scene.warnings() == ()
    assert scene.cluster.questions.count("list IngressClass") == 1


def test_an_old_annotation_may_do_without_any_class() -> None:
    (warning,) = Scene(ingress(annotation="alb")).warnings()
    assert "names the IngressClass alb, which the cluster does not have" in warning
    (error,) = Scene(ingress(annotation="alb"), lists={"IngressClass": named("nginx")}).errors()
    assert isinstance(error, ConfigurationError)
    (error,) = Scene(ingress("alb")).errors()
    assert isinstance(error, ConfigurationError)


def test_an_ingress_without_a_class_needs_a_default_one() -> None:
    (warning,) = Scene(ingress(), lists={"IngressClass": named("nginx")}).warnings()
    assert "names no class, and no class is the default (the cluster has nginx)" in warning
    default = named("nginx", **{"ingressclass.kubernetes.io/is-default-class": "true"})
    assert Scene(ingress(), lists={"IngressClass": default}).warnings() == ()


def test_who_may_not_see_classes_is_warned() -> None:
    (warning,) = Scene(ingress("nginx"), lists={"IngressClass": NotPermitted("no")}).warnings()
    assert "names a class (IngressClass), and we may not see which the cluster has" in warning


def test_what_the_namespace_lacks_may_still_come() -> None:
    account = ObjectKey("v1", "ServiceAccount", "apps", "robot")
    pod = deployment(serviceAccountName="robot", imagePullSecrets=[{"name": "pull"}])
    warnings = Scene(pod).warnings()
    assert len(warnings) == 2
    assert "names the ServiceAccount/robot, which the namespace does not have yet" in warnings[0]
    (warning,) = Scene(pod, objects={account: {"metadata": {"name": "robot"}}}).warnings()
    assert "Secret/pull" in warning


def test_all_of_it_is_told_together() -> None:
    scene = Scene(ingress("ngnix"), denies=[Permission("v1", "Event", "list", "apps")])
    scene.locks.hold("web", HOLDER)
    assert [type(error) for error in scene.errors()] == [HeldError, NotPermitted, ConfigurationError]

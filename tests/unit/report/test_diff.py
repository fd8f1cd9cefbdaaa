"""A plan's changes as lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.model import DeploymentResult, Image, ObjectKey, Target, TargetResult
from deployer.model.changes import FieldChange, ImageChange, ObjectChange, PodsChange, Preview, Refusal, SecretUse
from deployer.report.diff import Palette, field_lines, preview_lines
from deployer.report.preview_document import preview_entry
from deployer.report.terminal import terminal_lines

DEPLOYMENT = ObjectKey("apps/v1", "Deployment", "default", "web")
CONFIG = ObjectKey("v1", "ConfigMap", "default", "web")
REPLICAS = FieldChange("spec.replicas", "changed", 2, 3)


def planned(region: str, preview: Preview, **more: Any) -> TargetResult:
    image = Image(f"{region}.registry", "team/web", "2-" + "b" * 32)
    target = Target("prod", region, "web")
    return TargetResult(target, "planned", image=image, reasons=("new image",), preview=preview, **more)


def of(*fields: FieldChange, **more: Any) -> Preview:
    return Preview((ObjectChange(DEPLOYMENT, "change", fields),), **more)


def shown(*targets: TargetResult, width: int = 100, colour: bool = False) -> list[str]:
    return list(preview_lines(targets, width=width, colour=colour))


def field(change: FieldChange, width: int = 60) -> list[str]:
    return list(field_lines(change, Palette(colour=False), width))


def test_what_regions_have_in_common_is_told_once() -> None:
    lines = shown(*(planned(region, of(REPLICAS)) for region in ("london", "seoul")))
    assert lines == [
        "",
        "web in london, seoul",
        "  why      new image",
        "  ~ Deployment/web",
        "      spec.replicas  2 → 3",
        "  restarts nothing",
    ]


def test_what_differs_is_told_apart_and_after_the_rest() -> None:
    other = replace(of(replace(REPLICAS, new=9)), unchanged=1)
    lines = shown(planned("london", replace(of(REPLICAS), unchanged=1)), planned("seoul", other))
    assert (
        lines.index("web in london, seoul") < lines.index("web in london") < lines.index("      spec.replicas  2 → 3")
    )
    assert lines.index("web in seoul") < lines.index("      spec.replicas  2 → 9")
    assert lines.count("  = 1 object unchanged") == 1


def test_the_apps_image_is_the_same_in_every_registry() -> None:
    def changed(region: str) -> Preview:
        old, new = (f"{region}.registry/team/web:{tag}" for tag in ("1-aa@sha256:" + "c" * 64, "2-bb"))
        change = FieldChange("spec.template.spec.containers[web].image", "changed", old, new)
        return of(change, image=ImageChange("build", "2-" + "b" * 32, "1-" + "a" * 32, "2", "1"))

    lines = shown(planned("london", changed("london")), planned("seoul", changed("seoul")))
    assert "web in london" not in lines
    assert "  image    web:1-aaaaaaaaaa… → 2-bbbbbbbbbb… (version 1 → 2, to be built)" in lines
    assert "      spec.template.spec.containers[web].image  web:1-aa → web:2-bb" in lines


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (FieldChange("a.b", "changed", 1, 2), ["a.b  1 → 2"]),
        (FieldChange("a.b", "changed", "", False), ['a.b  "" → false']),
        (FieldChange("a.b", "added", None, {"c": [1]}), ['+ a.b  {"c": [1]}']),
        (FieldChange("a.b", "removed", "x", None), ["- a.b  x"]),
        (FieldChange("a.b", "removed", None, None), ["- a.b  removed"]),
        (FieldChange("a.b", "changed", secret=True), ["a.b  changed (secret)"]),
        (FieldChange("a.b", "changed", "x" * 30, "y" * 30), ["a.b", f"  - {'x' * 30}", f"  + {'y' * 30}"]),
        (FieldChange("a.b", "added", None, "x" * 70), ["+ a.b", f"    {'x' * 56}", f"    {'x' * 14}"]),
        (FieldChange("a.b", "changed", "\x1b[2J", "ok"), ["a.b  \\x1b[2J → ok"]),
        (
            FieldChange("a.b", "changed", "1\n2\n3\n4\n", "1\n2\n9\n4\n"),
            ["a.b", "  @@ -2,3 +2,3 @@", "   2", "  -3", "  +9", "   4"],
        ),
        (FieldChange("a.b", "changed", "1\n2\n", "1\n2"), ["a.b", "  only the line ends differ"]),
    ],
)
def test_a_field(change: FieldChange, lines: list[str]) -> None:
    assert field(change) == lines


def test_a_long_value_is_cut_in_lines_and_whole_in_json() -> None:
    change = FieldChange("a", "changed", "x" * 500, "short")
    assert field(change)[1] == f"  - {'x' * 159}…"
    assert preview_entry(of(change))["objects"][0]["fields"][0]["old"] == "x" * 500


def test_what_becomes_of_pods_stands_beside_their_object() -> None:
    def effect(**fields: Any) -> str:
        pods = PodsChange(**{"key": DEPLOYMENT, "restarts": True, "before": 2, "after": 2, **fields})
        (line,) = [line for line in shown(planned("london", of(REPLICAS, pods=(pods,)))) if "Deployment" in line]
        return line.partition("Deployment/web  ")[2]

    assert effect() == "restarts: 2 new pods"
    assert effect(after=1) == "restarts: 1 new pod, 2 before"
    assert effect(restarts=False, after=3) == "2 → 3 pods, no restart"
    assert effect(restarts=False) == "no restart"


def test_what_comes_goes_and_may_not_change() -> None:
    preview = Preview(
        (
            ObjectChange(CONFIG, "create", facts=("keys a, b",)),
            ObjectChange(CONFIG, "delete", facts=("its pods end",)),
            ObjectChange(DEPLOYMENT, "change", (REPLICAS,), refused=(Refusal("spec.selector", "another name"),)),
        ),
        hooks=("Job/migrate (pre-upgrade)",),
        taken=("ConfigMap/x: taken over",),
        dns=("create x A",),
    )
    lines = shown(planned("london", preview))
    for line in (
        "  + ConfigMap/web  keys a, b",
        "  - ConfigMap/web  its pods end",
        "      ✘ spec.selector cannot be changed: another name",
        "  hook     Job/migrate (pre-upgrade)",
        "  takes    ConfigMap/x: taken over",
        "  dns      create x A",
    ):
        assert line in lines


def test_secrets_are_told_with_the_regions_that_lack_one() -> None:
    changed, same = SecretUse("URL", "changed", "aa", "bb"), SecretUse("URL", "same", "aa", "aa")
    london = of(
        REPLICAS, secrets=(changed, SecretUse("API_KEY", "added", None, "cc"), SecretUse("OLD", "removed", "dd"))
    )
    lines = shown(planned("london", london), planned("seoul", of(REPLICAS, secrets=(same,))))
    assert lines[lines.index("web in london") + 1 :] == [
        "  secret   URL changes (aa → bb)",
        "  secret   API_KEY is new (cc), missing in seoul",
        "  secret   OLD is no longer used (dd)",
    ]


def test_a_region_without_changes_is_only_compared_with() -> None:
    """It has what is new elsewhere already."""
    key = SecretUse("API_KEY", "added")
    london = planned("london", of(REPLICAS, secrets=(key,)))
    seoul = replace(
        planned("seoul", Preview(unchanged=3, secrets=(replace(key, change="same"),))), outcome="unchanged", reasons=()
    )
    lines = list(terminal_lines(DeploymentResult("id", "prod", "anna", None, 1.0, (london, seoul))))
    assert "  secret   API_KEY is new" in lines
    assert "web in seoul" in lines  # its image, as in every report
    assert not [line for line in lines if "3 objects" in line]


def test_colours_only_where_they_are_wanted() -> None:
    target = planned("london", of(REPLICAS))
    assert "\x1b[" not in "".join(shown(target))
    assert "\x1b[31m2\x1b[0m → \x1b[32m3\x1b[0m" in "\n".join(shown(target, colour=True))

"""HorizontalPodAutoscalers of `autoscaling/v2beta1`, whose metrics named their targets differently."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.model import Json
from deployer.plan.manifests.conversion.problem import mapping
from deployer.plan.manifests.kinds import mappings


def metrics_with_targets(manifest: Json) -> Iterator[str]:
    """Every metric's `target…` fields become one `target`, and its name and selector become `metric`."""
    metrics = mappings(mapping(manifest, "spec").get("metrics"))
    for metric in metrics:
        for kind, change in (
            ("resource", _resource),
            ("containerResource", _resource),
            ("pods", _pods),
            ("object", _object),
            ("external", _external),
        ):
            if isinstance(metric.get(kind), dict):
                change(metric[kind])
    if metrics:
        yield "metrics rewritten with their targets"


def _resource(source: Json) -> None:
    utilization = source.pop("targetAverageUtilization", None)
    value = source.pop("targetAverageValue", None)
    if utilization is not None:
        source["target"] = {"type": "Utilization", "averageUtilization": utilization}
    elif value is not None:
        source["target"] = {"type": "AverageValue", "averageValue": value}


def _pods(source: Json) -> None:
    _name_metric(source, "selector")
    if (value := source.pop("targetAverageValue", None)) is not None:
        source["target"] = {"type": "AverageValue", "averageValue": value}


def _object(source: Json) -> None:
    _name_metric(source, "selector")
    if "target" in source:
        source["describedObject"] = source.pop("target")
    average, value = source.pop("averageValue", None), source.pop("targetValue", None)
    if average is not None:
        source["target"] = {"type": "AverageValue", "averageValue": average}
    elif value is not None:
        source["target"] = {"type": "Value", "value": value}


def _external(source: Json) -> None:
    _name_metric(source, "metricSelector")
    average, value = source.pop("targetAverageValue", None), source.pop("targetValue", None)
    if value is not None:
        source["target"] = {"type": "Value", "value": value}
    elif average is not None:
        source["target"] = {"type": "AverageValue", "averageValue": average}


def _name_metric(source: Json, selector: str) -> None:
    metric = {"name": source.pop("metricName", None), "selector": source.pop(selector, None)}
    if any(value is not None for value in metric.values()):
        source["metric"] = {key: value for key, value in metric.items() if value is not None}

"""Apps for tests, as the content of their files."""

from __future__ import annotations

from tests.sandbox.surroundings import Json

SERVE = 'mkdir -p /www && printf %s "$GREETING" > /www/index.html && exec httpd -f -p 80 -h /www'


def web_app(name: str, regions: list[str]) -> Json:
    """An app that answers with the value GREETING, from the base image: no image of its own."""
    labels = {"app": "{{ AppName }}"}
    container: Json = {
        "name": "main",
        "image": "{{ BaseImage }}",
        "command": ["sh", "-c", SERVE],
        "env": [{"name": "GREETING", "value": "{{ Values[Name].GREETING }}"}],
        "ports": [{"containerPort": 80, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    backend = {"service": {"name": "{{ AppName }}", "port": {"name": "http"}}}
    rule = {
        "host": "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    return {
        "Name": name,
        "AppName": "{{ Name }}",
        "SubDomain": name,
        "Environments": [f"local.{region}" for region in regions],
        "Version": "1.0.0",
        "Tag": "{{ Version }}",
        "Helm": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            },
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "{{ AppName }}"},
                "spec": {"ingressClassName": "nginx", "rules": [rule]},
            },
        ],
    }


def workload(kind: str, script: str = "exec sleep 1000", **spec: object) -> Json:
    """A manifest whose container runs a shell script."""
    pod: Json = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "{{ BaseImage }}", "command": ["sh", "-c", script]}],
    }
    if kind in ("Job", "CronJob"):
        pod["restartPolicy"] = "Never"
        inner: Json = {"backoffLimit": 0, "template": {"spec": pod}}
        content = inner if kind == "Job" else {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": inner}}
    else:
        labels = {"app": "{{ AppName }}"}
        content = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "{{ AppName }}"}, "spec": {**content, **spec}}


def hook(script: str) -> Json:
    """A Job that Helm runs before everything else."""
    manifest = workload("Job", script)
    annotations = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation"}
    manifest["metadata"] = {"name": "{{ AppName }}-hook", "annotations": annotations}
    return manifest

"""What others hear of a deployment: its trace, and its report at a webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.collector import collecting
from tests.sandbox.helpers import Project

SECRET = "signed-with-this-one"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_failed_deployment_is_traced_and_posted_without_its_secrets(project: Project) -> None:
    told: list[tuple[dict[str, str], bytes]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    password = f"pass-{project.name}-word"
    project.values["PASSWORD"] = password
    project.app["Webhook"] = {"Url": f"http://127.0.0.1:{server.server_port}/hook", "Secret": SECRET}
    project.container["command"] = ["/bin/sh", "-c", 'echo "told $PASSWORD"; exit 1']
    project.container.setdefault("env", []).append({"name": "PASSWORD", "value": "{{ Values[Name].PASSWORD }}"})
    try:
        with collecting() as collector:
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRACEPARENT": PARENT}
            done = project.deploy("--json", env=environment).expect(1)
            spans = {span.name: span for span in collector.spans}
            sent = b"".join(collector.bodies)
    finally:
        server.shutdown()
        server.server_close()
    root, target = spans[f"deploy {project.name}"], spans[f"london {project.name}"]
    assert {span.trace for span in spans.values()} == {PARENT.split("-")[1]}
    assert (root.parent, target.parent) == (PARENT.split("-")[2], root.id)
    assert root.failed and target.failed
    assert root.attributes["deployment.id"] == done.document["deployment"]
    assert target.attributes["deployer.outcome"] == done.target["outcome"]
    assert {"configuration", "compare", "release", "rollout", "evidence"} <= spans.keys(), spans.keys()
    assert spans["configuration"].parent == root.id
    assert all(spans[name].parent == target.id for name in ("release", "rollout"))
    assert spans["rollout"].failed
    assert password.encode() not in sent
    ((headers, body),) = told
    report = json.loads(body)
    assert (report["deployment"], report["ok"]) == (done.document["deployment"], False)
    assert report["targets"][0]["errors"] == done.target["errors"]
    assert headers["x-deploy-event"] == "deploy"
    assert headers["x-deploy-signature-256"] == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    assert password.encode() not in body


def test_nobody_who_listens_keeps_a_deployment_from_its_success(project: Project) -> None:
    project.app["Webhook"] = {"Url": "http://127.0.0.1:9/hook"}
    done = project.deploy(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}).expect(0)
    assert "the webhook was not told: it cannot be connected to" in done.stderr
    assert done.stderr.count("collector") == 1
    assert len(project.revisions) == 1

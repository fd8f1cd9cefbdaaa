"""Secrets that are looked for everywhere: processes, files, output, Slack, images."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, with_image
from tests.sandbox.leak_places import Traces, image_contents
from tests.sandbox.leaks import Search, canaries
from tests.sandbox.surroundings import Json, Put, messages, unique
from tests.sandbox.tool import Done


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    project = Project(tmp_path, clusters)
    project.values = canaries()
    project.container["env"] = [
        {"name": name, "value": f"{{{{ Values[Name].{name} }}}}"} for name in project.values if name != "GREETING"
    ]
    project.container["env"].append({"name": "GREETING", "value": "hello"})
    return project


def watched(project: Project, search: Search, *options: str) -> Done:
    """Deploy with `-v`, look at every process meanwhile, and at every file, message and output afterwards."""
    project.write()
    traces = Traces(project, search)
    done = traces.run("the deployment", project.start("local", "london", project.name, "-v", *options))
    traces.everything()
    return done


def test_a_deployment_with_secrets_everywhere(project: Project, put: Put) -> None:
    """Values in the environment of the container, BuildKit secrets, and a build that prints them."""
    ids = {name.lower(): f"{{{{ Values[Name].{name} }}}}" for name in project.values}
    show = " && ".join(f"cat /run/secrets/{name} && base64 /run/secrets/{name}" for name in ids)
    mounts = " ".join(f"--mount=type=secret,id={name}" for name in ids)
    with_image(project, put("site.tgz", {"page": unique("page")}))
    project.app["Docker"]["Secrets"] = ids
    project.app["Docker"]["Dockerfile"] += f"RUN {mounts} {show} && echo {unique('never cached')}\n"
    search = Search(project.values)
    done = watched(project, search, "--json").expect(0)
    assert search.leaks == []
    assert "build: " in done.stderr
    assert "***" in done.stderr, "the build printed its secrets"
    for name, content in image_contents(done.target["image"]):
        search.look(f"the image, {name}", content)
    assert search.leaks == []

    # What the container gets is what the file says, from a Secret that it names; nothing else in the cluster has it.
    live = project.cluster.live("Deployment", project.name)["spec"]["template"]["spec"]["containers"][0]["env"]
    given = {item["name"]: item["valueFrom"]["secretKeyRef"] for item in live if item["name"] in project.values}
    data = {name: project.cluster.live("Secret", one["name"])["data"][one["key"]] for name, one in given.items()}
    assert {name: base64.b64decode(text).decode() for name, text in data.items()} == project.values

    # A change names keys, never values.
    search = Search({**project.values, **(new := canaries())})
    project.values = new
    for one in (project.deploy("--plan"), project.deploy("--plan", "--json"), project.deploy("-v")):
        search.done("a change", one.expect(0))
    assert search.leaks == []


def test_a_build_that_fails_while_it_prints(project: Project, put: Put) -> None:
    with_image(project, put("site.tgz", {"page": unique("page")}))
    project.app["Docker"]["Secrets"] = {"pem": "{{ Values[Name].PEM }}", "quotes": "{{ Values[Name].QUOTES }}"}
    project.app["Docker"]["Dockerfile"] += (
        "RUN --mount=type=secret,id=pem --mount=type=secret,id=quotes "
        "cat /run/secrets/pem /run/secrets/quotes; base64 /run/secrets/pem | tr -d '\\n'; exit 7\n"
    )
    search = Search(project.values)
    done = watched(project, search)
    assert done.code in (1, 2), done.output
    assert "***" in done.stderr
    assert search.leaks == []
    assert project.revisions == []


def test_a_container_that_prints_its_secrets_and_dies(project: Project) -> None:
    project.container["command"] = ["sh", "-c", 'env; echo "$PEM" | base64; exit 3']
    search = Search(project.values)
    done = watched(project, search, "--json").expect(1)
    assert any("***" in line for line in done.target["evidence"]), done.target["evidence"]
    assert search.leaks == []


def set_image(project: Project) -> None:
    project.container["image"] = "127.0.31.254:5000/base/absent:{{ Values[Name].URL | hash('md5') }}"
    project.container["command"] = ["{{ Values[Name].URL }}"]


def set_command(project: Project) -> None:
    project.container["command"] = ["{{ Values[Name].QUOTES }}"]


def set_probe(project: Project) -> None:
    project.container["readinessProbe"]["httpGet"]["path"] = "/{{ Values[Name].BASE64 }}"
    project.stage["Rollout"]["Timeout"] = 5


def set_init(project: Project) -> None:
    init = {"name": "init", "image": "{{ BaseImage }}", "command": ["sh", "-c", "{{ Values[Name].URL }}; exit 5"]}
    project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]


def refused_number(project: Project) -> None:
    project.deployment["spec"]["replicas"] = "{{ Values[Name].QUOTES }}"


def refused_quantity(project: Project) -> None:
    project.container["resources"] = {"limits": {"memory": "{{ Values[Name].UNICODE }}"}}


def refused_name(project: Project) -> None:
    project.container["ports"][0]["name"] = "{{ Values[Name].DOLLAR }}"


def refused_label(project: Project) -> None:
    project.deployment["metadata"]["labels"] = {"key": "{{ Values[Name].URL }}"}


def refused_host(project: Project) -> None:
    project.app["Helm"][2]["spec"]["rules"][0]["host"] = "{{ Values[Name].BASE64 }}"


def refused_kind(project: Project) -> None:
    project.deployment["apiVersion"] = "{{ Values[Name].URL }}"


def failing_filter(project: Project) -> None:
    project.container["env"][0]["value"] = "{{ Values[Name].PEM | from_json }}"


def failing_number(project: Project) -> None:
    project.container["env"][0]["value"] = "{{ 1 + Values[Name].QUOTES }}"


def failing_key(project: Project) -> None:
    project.container["env"][0]["value"] = "{{ Values[Name][Values[Name].UNICODE] }}"


def wrong_setting(project: Project) -> None:
    project.stage["HealthCheck"]["Interval"] = "{{ Values[APPLICATION].URL }}"


def secret_in_dockerfile(project: Project) -> None:
    project.app["Docker"] = {"Dockerfile": "FROM {{ BaseImage }}\nENV TOKEN={{ Values[Name].LONG }}\n"}


def secret_in_file(project: Project) -> None:
    files = {"config": "token: {{ Values[Name].DOLLAR }}"}
    project.app["Docker"] = {"Dockerfile": "FROM {{ BaseImage }}\n", "Files": files}


def secret_in_argument(project: Project) -> None:
    arguments = {"TOKEN": "{{ Values[Name].URL }}"}
    project.app["Docker"] = {"Dockerfile": "FROM {{ BaseImage }}\n", "Args": arguments}


def secret_in_source(project: Project) -> None:
    secret, other = "{{ Values[Name].LONG }}", "{{ Values[Name].URL | urlencode }}"
    download = {"src": f"https://user:{secret}@127.0.0.1:9/x.tgz?key={other}"}
    project.app["Docker"] = {"Dockerfile": "FROM {{ BaseImage }}\n", "Download": [download]}


def secret_in_wrong_source(project: Project) -> None:
    project.values["BASE64"] = f"{unique()}/{unique()}"  # the slash ends what should be the host
    download = {"src": "https://user:{{ Values[Name].BASE64 | urlencode }}@127.0.0.1:9/x.tgz"}
    project.app["Docker"] = {"Dockerfile": "FROM {{ BaseImage }}\n", "Download": [download]}


@pytest.mark.parametrize(
    "change",
    [
        set_image,
        set_command,
        set_probe,
        set_init,
        refused_number,
        refused_quantity,
        refused_name,
        refused_label,
        refused_host,
        refused_kind,
        failing_filter,
        failing_number,
        failing_key,
        wrong_setting,
        secret_in_dockerfile,
        secret_in_file,
        secret_in_argument,
        secret_in_source,
        secret_in_wrong_source,
    ],
)
def test_an_error_about_a_secret_does_not_quote_it(project: Project, change: Callable[[Project], None]) -> None:
    change(project)
    search = Search(project.values)
    before = project.cluster.snapshot()
    done = project.deploy("--json", "-v")
    assert done.code == (5 if change is secret_in_source else 2), done.output
    assert "Traceback" not in done.stderr
    search.done("the deployment", done)
    search.files(project.directory)
    search.look("Slack", json.dumps(messages(project.channel)))
    assert search.leaks == []
    errors: list[Json] = done.document["errors"]
    assert errors[0]["where"]
    assert project.cluster.snapshot() == before

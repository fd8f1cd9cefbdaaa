from __future__ import annotations

from collections.abc import Mapping

import pytest

from deployer.config import Inputs
from deployer.errors import ConfigurationError, DeployError, Location
from deployer.model import DockerCache, InlineFile, Secret

from .conftest import APP, SOPS, STAGE, LoadOne

MINIMAL = """\
Environments: ["prod.london"]
Helm:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}
"""


def faults(load_one: LoadOne, app: str, files: Mapping[str, str] = {}, **more: object) -> list[DeployError]:
    files = {**files, "apps/myapp.yml": app}
    with pytest.raises(DeployError) as caught:
        load_one(files, **more)  # type: ignore[arg-type]
    return list(caught.value.leaves())


def docker(text: str) -> str:
    """The app with another Docker part, whose lines begin at line 2 of the file."""
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    return f'Docker:\n{indented}Version: "1"\n' + MINIMAL


def test_an_app_is_evaluated(load_one: LoadOne) -> None:
    app = load_one().app
    assert (app.name, app.app_name, app.version, app.tag, app.sub_domain) == (
        "myapp",
        "myapp",
        "0.0.1",
        "0.0.1",
        "myapp",
    )
    assert app.environments == ("prod.london", "prod.seoul", "dev.london")
    assert app.docker is not None
    assert app.docker.download[0].src == "s3://my-artifacts/myapp-0.0.1.tar.gz"
    assert app.docker.dockerfile == "FROM scratch\nCOPY myapp-0.0.1.tar.gz /\n"
    assert app.context_directory is None


def test_defaults(load_one: LoadOne) -> None:
    app = load_one({"apps/myapp.yml": MINIMAL, "apps/myapp/nginx.conf.j2": ""}).app
    assert (app.name, app.app_name, app.version, app.tag, app.docker) == ("myapp", "myapp", None, None, None)
    assert app.context_directory is not None
    assert app.context_directory.name == "myapp"
    named = load_one({"apps/myapp.yml": MINIMAL + "Name: other\nVersion: 5\n"}).app
    assert (named.name, named.app_name, named.version, named.tag) == ("other", "other", "5", "5")


def test_keys_refer_to_each_other_in_any_order(load_one: LoadOne) -> None:
    app = load_one(
        {"apps/myapp.yml": 'Tag: "{{ Mine }}"\nMine: "{{ AppName }}-{{ Version }}"\nVersion: "1"\n' + MINIMAL}
    ).app
    assert app.tag == "myapp-1"


def test_the_command_line_wins(load_one: LoadOne) -> None:
    app = load_one(inputs=Inputs(version="9.9")).app
    assert (app.version, app.tag) == ("9.9", "9.9")
    assert app.docker is not None
    assert app.docker.download[0].src.endswith("myapp-9.9.tar.gz")
    one = load_one(inputs=Inputs(extra=['{"Values": {"myapp": {"Replicas": 7}}}', "Tag=mine"]))
    assert one.app.tag == "mine"
    assert one.value(("Values", "myapp", "Replicas")) == 7
    assert one.value(("Values", "myapp", "VALUES1")) == "Hello"


@pytest.mark.parametrize(
    ("text", "what", "rest"),
    [
        ("AppName: My_App", "AppName must be at most 53", "My_App"),
        ("AppName: " + "a" * 54, "AppName must be at most 53", ""),
        ("AppName: -a", "AppName must be", ""),
        ("AppName: [a]", "AppName must be", "it is a list"),
        ("Version: 1.10", "Version must be a text", "1.10 is read as 1.1"),
        ("Version: true", "Version must be a version", "it is true"),
        ("Version: ''", "Version must be a version", ""),
        ("Version:", "Version must be a version", "it is empty"),
        ("Tag: a b", "Tag must be at most 95", "a b"),
        ("Tag: " + "a" * 96, "Tag must be at most 95", ""),
        ("Tag: .a", "Tag must be", ""),
        ("SubDomain: a b", "SubDomain must be a part of a host name", "a b"),
        ("Verison: x", "Verison is not known", "did you mean Version?"),
        ("Dockr: {}", "Dockr is not known", "did you mean Docker?"),
        ("5: x", "the key 5 must be a text", ""),
        ("STAGE: x", "STAGE is a built-in variable", ""),
        ("Name: '{{ Nothing }}'", "Nothing is undefined", ""),
        ("Name: '{{ Name }}'", "Name refers to itself", ""),
    ],
)
def test_wrong_keys(load_one: LoadOne, text: str, what: str, rest: str) -> None:
    errors = faults(load_one, f"{text}\n{MINIMAL}")
    error = next((error for error in errors if error.what.startswith(what)), None)
    assert error is not None, [str(one) for one in errors]
    assert str(error.where).startswith("apps/myapp.yml:1:")
    assert rest in f"{error} {error.hint}"


def test_unlike_keys_are_the_apps_own_variables(load_one: LoadOne) -> None:
    assert load_one({"apps/myapp.yml": MINIMAL + "Workers: 3\n"}).value(("Workers",)) == 3


def test_the_docker_part_in_its_short_spellings(load_one: LoadOne) -> None:
    spec = load_one(
        {
            "apps/myapp.yml": docker(
                "Dockerfile: FROM x\n"
                "Files: {a.txt: text, b.sh: {Content: '#!/bin/sh', Executable: true}}\n"
                "Args: {WORKERS: 4, DEBUG: true, NAME: '{{ Name }}'}\n"
                "Secrets: {token: '{{ Version }}'}\n"
                "Platforms: [linux/amd64, linux/arm64/v8]\n"
                "Download: [{src: a.tar.gz, dest: d/e, unpack: true}]"
            )
        }
    ).app.docker
    assert spec is not None
    assert spec.files == {"a.txt": InlineFile("text"), "b.sh": InlineFile("#!/bin/sh", executable=True)}
    assert spec.args == {"WORKERS": "4", "DEBUG": "true", "NAME": "myapp"}
    assert spec.secrets == {"token": Secret("1")}
    assert spec.platforms == ("linux/amd64", "linux/arm64/v8")


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("Dockerfil: FROM x", "Docker.Dockerfil is not known", "2:3"),
        ("Download: []", "Docker.Dockerfile is missing", "1:1"),
        ("Dockerfile: ''", "Docker.Dockerfile is empty", "2:3"),
        ("Dockerfile: [x]", "Docker.Dockerfile must be a text", "2:3"),
        ("Dockerfile: FROM x\nDownload: s3://x/y", "Docker.Download must be a list", "3:3"),
        ("Dockerfile: FROM x\nDownload:\n  - sr: s3://x/y", "Docker.Download[0].src is missing", "4:7"),
        ("Dockerfile: FROM x\nDownload:\n  - src: ''", "Docker.Download[0].src is empty", "4:7"),
        (
            "Dockerfile: FROM x\nDownload:\n  - src: x\n    dest: ../y",
            "Docker.Download[0].dest must be a relative",
            "5:7",
        ),
        (
            "Dockerfile: FROM x\nDownload:\n  - src: x\n    dest: /y",
            "Docker.Download[0].dest must be a relative",
            "5:7",
        ),
        ("Dockerfile: FROM x\nDownload:\n  - src: x\n    sha256: y", "Docker.Download[0].sha256 must be 64", "5:7"),
        ("Dockerfile: FROM x\nFiles:\n  a/../../b: x", "Docker.Files must be a relative path", "4:5"),
        ("Dockerfile: FROM x\nFiles:\n  Dockerfile: x", "the Dockerfile is given twice", "4:5"),
        ("Dockerfile: FROM x\nFiles:\n  a: 5", "Docker.Files.a must be a mapping", "4:5"),
        ("Dockerfile: FROM x\nFiles:\n  a: {Contents: x}", "Docker.Files.a.Contents is not known", "4:9"),
        ("Dockerfile: FROM x\nArgs:\n  A: 1.10", "Docker.Args.A must be a text", "4:5"),
        ("Dockerfile: FROM x\nArgs:\n  a b: x", "'a b' is no name for Docker.Args", "4:5"),
        ("Dockerfile: FROM x\nPlatforms: [x86]", "Docker.Platforms[0] must be OS/ARCHITECTURE", "3:15"),
        ("Dockerfile: FROM x\nBuilder: 'a b'", "Docker.Builder must be the name of a builder", "3:3"),
        ("Dockerfile: FROM x\nBuilder: --push", "Docker.Builder must be the name of a builder", "3:3"),
        ("Dockerfile: FROM x\nCache: {To: 'type=gha'}", "Docker.Cache.To must be an image, HOST/REPO", "3:11"),
        ("Dockerfile: FROM x\nCache: {From: [inline]}", "Docker.Cache.From[0] must be an image", "3:18"),
        ("Dockerfile: FROM x\nCache: {From: x}", "Docker.Cache.From must be a list", "3:11"),
        ("Dockerfile: FROM x\nCache: {Too: inline}", "Docker.Cache.Too is not known", "3:11"),
        (
            "Dockerfile: FROM x\nCache: {To: 'other.test/cache:1,mode=min'}",
            "Docker.Cache.To must be an image",
            "3:11",
        ),
        ("Dockerfile: FROM x\nCache: {To: 'other.test/cache:1'}", "Docker.Cache.To must be in registry.test", "3:11"),
        ("Dockerfile: FROM {{ Nothing }}", "Nothing is undefined", "2:15"),
        ("Dockerfile: 'LABEL {{ DockerHash }}'", "DockerHash cannot be used here", "2:15"),
    ],
)
def test_wrong_docker_parts(load_one: LoadOne, text: str, what: str, where: str) -> None:
    errors = faults(load_one, docker(text))
    error = next((error for error in errors if error.what.startswith(what)), None)
    assert error is not None, [str(one) for one in errors]
    assert str(error.where) == f"apps/myapp.yml:{where}"


def test_the_place_of_the_docker_part_is_that_of_the_file_whatever_the_app_is_called(load_one: LoadOne) -> None:
    text = f"Name: web\n{docker('Dockerfile: FROM scratch')}"
    app = load_one({"apps/myapp.yml": text}).app
    assert app.name == "web"
    assert app.docker_place == Location("apps/myapp.yml", 2, 1)
    assert load_one({"apps/myapp.yml": f"\n{text}"}).app == app


def test_an_image_needs_a_tag(load_one: LoadOne) -> None:
    (error,) = faults(load_one, "Docker: {Dockerfile: FROM x}\n" + MINIMAL)
    assert str(error) == "apps/myapp.yml:1:1: Version is missing: an image needs a Version or a Tag"


def test_how_images_are_built_may_stand_in_group_vars(load_one: LoadOne) -> None:
    ours = "Docker:\n  Builder: arm\n  Platforms: [linux/arm64]\n  Cache: {To: '{{ AwsEcrPrefix }}/cache:{{ Name }}'}\n"
    spec = load_one({"group_vars/prod.london.yml": ours, "apps/myapp.yml": docker("Dockerfile: FROM x")}).app.docker
    assert spec is not None
    assert (spec.builder, spec.platforms) == ("arm", ("linux/arm64",))
    assert spec.cache == DockerCache(to="registry.test/team/cache:myapp")
    own = docker("Dockerfile: FROM x\nBuilder: here\nCache: {From: ['{{ AwsEcrPrefix }}/cache:a']}")
    spec = load_one({"group_vars/prod.london.yml": ours, "apps/myapp.yml": own}).app.docker
    assert spec is not None
    assert (spec.builder, spec.cache) == (
        "here",
        DockerCache(("registry.test/team/cache:a",), "registry.test/team/cache:myapp"),
    )
    assert load_one({"group_vars/prod.london.yml": ours, "apps/myapp.yml": MINIMAL}).app.docker is None


def test_an_image_itself_does_not_stand_in_group_vars(load_one: LoadOne) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_one({"group_vars/prod.london.yml": "Docker: {Dockerfile: FROM x}\n"})
    assert (
        str(caught.value)
        == "group_vars/prod.london.yml:1:10: Docker.Dockerfile belongs in an app file, not in group_vars"
    )


SECRET_STAGE = {
    "group_vars/secrets_prod.yml": "Values:\n  myapp:\n    PASSWORD: ENC[x]\n    VERSION: ENC[x]\n" + SOPS,
}
SECRETS = {"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "hunter2", "VERSION": "0.0.2"}}}}


@pytest.mark.parametrize(
    "text",
    [
        "Dockerfile: |\n  FROM x\n  ENV A={{ Values.myapp.PASSWORD }}",
        "Dockerfile: |\n  FROM x\n  ENV A={{ Values.myapp.PASSWORD | b64encode }}",
        "Dockerfile: FROM x\nArgs: {A: '{{ Values.myapp.PASSWORD }}'}",
        "Dockerfile: FROM x\nBuilder: '{{ Values.myapp.PASSWORD }}'",
        "Dockerfile: FROM x\nCache: {To: 'registry.test/{{ Values.myapp.PASSWORD }}:1'}",
        "Dockerfile: FROM x\nFiles: {a: '{{ Values.myapp.PASSWORD[:1] }}'}",
        "Dockerfile: FROM x\nDownload: [{src: a, dest: '{{ Values.myapp.PASSWORD }}'}]",
        "Dockerfile: FROM x\nFiles: {a: {Content: '{{ Values.myapp }}'}}",
        "Dockerfile: FROM x\nFiles: \"{{ {'a': Values.myapp.PASSWORD} }}\"",
    ],
)
def test_a_secret_does_not_get_into_an_image(load_one: LoadOne, text: str) -> None:
    with pytest.raises(ConfigurationError, match="holds a secret") as caught:
        load_one({**SECRET_STAGE, "apps/myapp.yml": docker(text)}, secrets=SECRETS)
    assert "Values.myapp.PASSWORD" in (caught.value.why or "")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_version_out_of_an_encrypted_file_is_no_secret(load_one: LoadOne) -> None:
    text = "Dockerfile: 'FROM x:{{ Values.myapp.VERSION }}'\nSecrets: {p: '{{ Values.myapp.PASSWORD }}'}"
    app = load_one({**SECRET_STAGE, "apps/myapp.yml": docker(text)}, secrets=SECRETS).app
    assert app.docker is not None
    assert (app.docker.dockerfile, app.docker.secrets) == ("FROM x:0.0.2", {"p": Secret("hunter2")})


@pytest.mark.parametrize("key", ["Version", "Tag", "SubDomain", "AppName"])
def test_a_secret_names_nothing(load_one: LoadOne, key: str) -> None:
    named = {"Version": '"1"', key: '"v{{ Values.myapp.PASSWORD }}"'}
    text = "".join(f"{name}: {value}\n" for name, value in named.items()) + MINIMAL
    (error,) = faults(load_one, text, files=SECRET_STAGE, secrets=SECRETS)
    assert (error.what, str(error.where)) == (f"{key} holds a secret", f"apps/myapp.yml:{len(named)}:1")
    assert "Values.myapp.PASSWORD" in (error.why or "")


def test_what_the_environment_says_may_name_a_version(load_one: LoadOne, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD", "17")
    text = "Version: \"1.{{ lookup('env', 'BUILD') }}\"\n" + MINIMAL
    assert load_one({"apps/myapp.yml": text}).app.version == "1.17"


def test_files_of_the_context_are_rendered_without_secrets(load_one: LoadOne) -> None:
    one = load_one(SECRET_STAGE, secrets=SECRETS)
    assert one.render_text("server {{ AppName }};\n", Location("apps/myapp/x.j2", 1)) == "server myapp;\n"
    with pytest.raises(ConfigurationError, match=r"apps/myapp/x\.j2 holds a secret"):
        one.render_text("a\n{{ Values[Name].PASSWORD }}", Location("apps/myapp/x.j2", 1))
    with pytest.raises(ConfigurationError) as caught:
        one.render_text("a\n{{ Nothing }}", Location("apps/myapp/x.j2", 1))
    assert str(caught.value.where) == "apps/myapp/x.j2:2"


def test_the_stages_file_of_the_fixture_is_what_the_tests_think() -> None:
    assert "VALUES1" in STAGE
    assert "DockerHash" in APP


def test_a_variable_of_the_environment_in_an_image_may_be_a_secret(
    load_one: LoadOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD", "17")
    app = "Environments: [prod.london]\nVersion: \"1\"\nDocker: {Dockerfile: \"FROM x:{{ lookup('env', 'BUILD') }}\"}\n"
    with pytest.raises(DeployError) as caught:
        load_one({"apps/myapp.yml": f"{app}Helm: [{{kind: A}}]\n"})
    (error,) = caught.value.leaves()
    assert error.what == "Docker.Dockerfile holds what may be a secret"
    assert error.hint is not None
    assert "--version" in error.hint


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.10", ["apps/myapp.yml:1:1: Version must be a text"]),
        ('"a b"', ["apps/myapp.yml:1:1: Tag must be at most"]),
    ],
)
def test_what_a_default_repeats_is_told_once_where_it_stands(load_one: LoadOne, version: str, told: list[str]) -> None:
    errors = faults(load_one, f"Version: {version}\nDocker: {{Dockerfile: FROM scratch}}\n{MINIMAL}")
    assert len(errors) == len(told)
    for error, beginning in zip(errors, told, strict=True):
        assert f"{error.where}: {error.what}".startswith(beginning)

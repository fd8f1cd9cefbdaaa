"""What is wrong beforehand is refused, as documented, without a trace in the cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.sandbox.clusters import namespaces
from tests.sandbox.helpers import Project, deploy_refused, with_image
from tests.sandbox.surroundings import ACCESS, CLOSED, Put, s3, unique


def services_at(project: Project, **endpoints: str) -> None:
    """Point single AWS services somewhere else."""
    lines = [(ACCESS / "aws-config").read_text(), "services = own", "[services own]"]
    for service, endpoint in endpoints.items():
        lines += [f"{service} =", f"  endpoint_url = http://{endpoint}"]
    (project.root / "own-aws-config").write_text("\n".join(lines) + "\n")
    project.stage["AwsConfigFile"] = "own-aws-config"


@pytest.fixture
def with_artefact(good: Project, put: Put) -> Project:
    """An app that runs, and is now to get an image from an artefact."""
    with_image(good, put("site.tgz", {"page": unique("page")}))
    return good


def test_an_artefact_that_is_missing(with_artefact: Project) -> None:
    download = with_artefact.app["Docker"]["Download"][0]
    download["src"] = download["src"].replace("site.tgz", "absent.tgz")
    (error,) = deploy_refused(with_artefact, 2)
    assert download["src"] in f"{error['what']} {error['where']} {error['why']}"
    assert with_artefact.name in error["where"]


def test_an_artefact_that_is_another_one(with_artefact: Project) -> None:
    with_artefact.app["Docker"]["Download"][0]["sha256"] = "0" * 64
    (error,) = deploy_refused(with_artefact, 2)
    assert "0" * 64 in f"{error['what']} {error['why']}"


def test_kms_that_does_not_answer(good: Project) -> None:
    services_at(good, kms=CLOSED)
    errors = deploy_refused(good, 5)
    assert "KMS could not be reached" in errors[0]["what"]
    assert "secrets_local.yml" in errors[0]["where"]


@pytest.mark.parametrize("service", ["s3", "sts", "ecr"])
def test_an_aws_service_that_does_not_answer(with_artefact: Project, service: str) -> None:
    services_at(with_artefact, **{service: CLOSED})
    errors = deploy_refused(with_artefact, 5)
    assert any(service in f"{error['what']} {error['where']} {error['why']}".lower() for error in errors), errors


def test_a_registry_that_does_not_answer(with_artefact: Project) -> None:
    with_artefact.regions["london"]["AwsEcrPrefix"] = f"{CLOSED}/123456789012"
    errors = deploy_refused(with_artefact, 5)
    assert any(CLOSED in f"{error['what']} {error['where']} {error['why']}" for error in errors), errors


def test_an_account_that_is_another_one(with_artefact: Project) -> None:
    with_artefact.regions["london"]["AwsEcrPrefix"] = "127.0.31.1:5000/999999999999"
    errors = deploy_refused(with_artefact, 2)
    assert any("999999999999" in f"{error['what']} {error['why']}" for error in errors), errors
    assert any("123456789012" in f"{error['what']} {error['why']}" for error in errors), errors


def test_a_cluster_that_does_not_answer(good: Project) -> None:
    kubeconfig = yaml.safe_load((ACCESS / "kubeconfig").read_text())
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = f"https://{CLOSED}"
    (good.root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    good.regions["london"]["Cluster"]["Kubeconfig"] = "kubeconfig"
    (error,) = deploy_refused(good, 5)
    assert "the cluster does not answer" in error["what"]


def test_with_one_region_down_nothing_is_begun_in_the_others(tmp_path: Path) -> None:
    with namespaces("london", "seoul") as clusters:
        project = Project(tmp_path, clusters)
        kubeconfig = yaml.safe_load((ACCESS / "kubeconfig").read_text())
        for cluster in kubeconfig["clusters"]:
            cluster["cluster"]["server"] = f"https://{CLOSED}"
        (project.root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        project.regions["seoul"]["Cluster"]["Kubeconfig"] = "kubeconfig"
        (error,) = deploy_refused(project, 5, region="all")
        assert error["regions"] == ["seoul"]
        assert f"deploy local london {project.name}" in error["hint"]


def test_docker_that_does_not_answer(with_artefact: Project) -> None:
    (error,) = deploy_refused(with_artefact, 5, env={"DOCKER_HOST": f"tcp://{CLOSED}"})
    assert "docker" in f"{error['what']} {error['why']} {error['hint']}".lower()


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[None]:
    directory.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(directory)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_disk_that_is_full(with_artefact: Project) -> None:
    key = with_artefact.app["Docker"]["Download"][0]["src"].split("/", 3)[3]
    s3().put_object(Bucket="my-artifacts", Key=key, Body=b"x" * 1_000_000)
    small = with_artefact.directory / "small"
    with small_disk(small, 256):
        (small / "deployer").mkdir()
        (small / "deployer/tools").symlink_to((with_artefact.cache / "deployer/tools").resolve())
        (error,) = deploy_refused(with_artefact, 1, env={"XDG_CACHE_HOME": str(small)})
        assert error["what"] == "there is no space left for artefacts"
        assert str(small) in error["where"]


def test_temporary_files_without_room(good: Project) -> None:
    """Helm and others go on without what they would have kept there; what cannot go on says why."""
    good.values["GREETING"] = unique("tight")
    with small_disk(good.directory / "tight", 16):
        (good.directory / "tight/filled").write_bytes(b"x" * 12_000)
        done = good.deploy("--json", env={"TMPDIR": str(good.directory / "tight")})
        assert done.code in (0, 1), done.output
        if done.code == 1:
            (error,) = done.document.get("errors") or done.target["errors"]
            assert "space" in f"{error['what']} {error['why']}"
        assert "Traceback" not in done.stderr
    assert good.deploy("--json").expect(0).target["outcome"] in ("deployed", "unchanged")


def test_a_manifest_that_is_refused(good: Project) -> None:
    good.deployment["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    good.app["Helm"][1]["spec"]["ports"][0]["port"] = 70000
    errors = deploy_refused(good, 2)
    assert len(errors) == 2
    text = (good.root / f"apps/{good.name}.yml").read_text().splitlines()
    for error, word in zip(errors, ("restartPolicy", "port"), strict=True):
        file, line, *_ = error["where"].split(":")
        assert file == f"apps/{good.name}.yml"
        assert text[int(line) - 1].strip()
        assert word in f"{error['what']} {error['why']}"


def test_a_manifest_without_a_kind(good: Project) -> None:
    del good.app["Helm"][1]["kind"]
    (error,) = deploy_refused(good, 2)
    assert "kind" in error["what"]
    assert error["where"].startswith(f"apps/{good.name}.yml:")


def test_a_file_that_cannot_be_decrypted(good: Project) -> None:
    good.write()
    file = good.root / "group_vars/secrets_local.yml"
    text = file.read_text()
    try:
        file.write_text(text.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AA"))
        (error,) = deploy_refused(good, 2)
        assert "secrets_local.yml" in error["where"]
    finally:
        file.write_text(text)

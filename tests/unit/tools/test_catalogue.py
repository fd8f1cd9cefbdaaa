from importlib.resources import files

import pytest

from deployer.tools.catalogue import DEPLOYMENT, OPTIONAL, SANDBOX, TOOLS, GoBuild


@pytest.mark.parametrize(
    ("name", "output", "version"),
    [
        ("git", "git version 2.39.5\n", "2.39.5"),
        ("sops", "sops 3.13.3\n", "3.13.3"),
        ("sops", "sops 3.9.4 (latest)\n", "3.9.4"),
        ("helm", "v3.22.0", "3.22.0"),
        ("helm", "v3.22", None),
        ("helm4", "v4.3.1", "4.3.1"),
        ("docker", "Docker version 20.10.24+dfsg1, build 5d6db84\n", "20.10.24"),
        ("buildx", "github.com/docker/buildx v0.33.0 \n", "0.33.0"),
        ("dockerd", "Docker version 28.2.2, build e6534b4", "28.2.2"),
        ("containerd", "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3\n", "1.6.20"),
        ("runc", "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n", "1.1.5"),
        ("etcd", "etcd Version: 3.4.23\nGit SHA: Not provided\n", "3.4.23"),
        ("iptables", "iptables v1.8.9 (nf_tables)\n", "1.8.9"),
        ("docker-registry", "docker-registry github.com/docker/distribution 2.8.2+ds1\n", "2.8.2"),
        (
            "cni",
            "CNI bridge plugin version unknown\nCNI protocol versions supported: 0.1.0, 0.4.0, 1.0.0",
            "1.0.0",
        ),
        ("busybox", "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1) multi-call binary.\n", "1.35.0"),
        ("kubelet", "Kubernetes v1.34.4\n", "1.34.4"),
        ("traefik", "Version:      3.5.3\nCodename:     cheddar\nGo version:   go1.26.8\n", "3.5.3"),
        ("kubectl", "Client Version: v1.32.4\nKustomize Version: v5.5.0\n", "1.32.4"),
        ("sops", "no version here", None),
    ],
)
def test_versions_are_read_from_what_tools_print(name: str, output: str, version: str | None) -> None:
    assert TOOLS[name].version_in(output) == version


@pytest.mark.parametrize(
    ("name", "version", "fits"),
    [
        ("sops", "3.9.0", True),
        ("sops", "3.8.1", False),
        ("sops", "3.13.3", True),
        ("sops", "4.0.0", False),
        ("helm", "3.9.4", False),
        ("helm", "4.3.1", True),
        ("helm4", "3.22.0", False),
        ("kubelet", "1.34.9", True),
        ("kubelet", "1.35.0", False),
        ("docker", "20.10.24", True),
        ("docker", "19.3.15", False),
        ("git", "2.1", True),
    ],
)
def test_fitting_versions_are_compared_as_numbers(name: str, version: str, fits: bool) -> None:
    assert TOOLS[name].fits(version) is fits


def test_what_is_built_fits_and_comes_from_a_module_of_ours() -> None:
    modules = files("deployer.tools") / "modules"
    for tool in TOOLS.values():
        if isinstance(tool.source, GoBuild):
            assert tool.version is not None and tool.fits(tool.version), tool.name
            go_mod = (modules / tool.source.module / "go.mod").read_text()
            assert (modules / tool.source.module / "go.sum").is_file()
            # Traefik and helm carry their major version in their module's name, a prefix of the package's.
            pinned = [
                line.split()[:2] for line in go_mod.splitlines() if line.strip().endswith(("// indirect", tool.version))
            ]
            assert any(tool.source.package.startswith(name) and at == f"v{tool.version}" for name, at in pinned), (
                tool.name
            )


def test_every_tool_belongs_to_one_purpose() -> None:
    assert sorted((*DEPLOYMENT, *SANDBOX, *OPTIONAL)) == sorted(TOOLS)


def test_needed_versions_are_told_in_words() -> None:
    assert TOOLS["sops"].needed == "3.9 or later, below 4"
    assert TOOLS["docker"].needed == "20.10 or later"
    assert TOOLS["git"].needed == ""

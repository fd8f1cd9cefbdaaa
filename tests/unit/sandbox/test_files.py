"""What the sandbox makes and writes: small files, images, artefacts, keys, mounts."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import ssl
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deployer.sandbox import artefacts, certificates, cluster, files, images, mounts, network, teardown
from deployer.sandbox.aws import Seed, load_balancer, seeded
from deployer.sandbox.layout import REGIONS, Layout
from deployer.sandbox.registry import PASSWORD, USER


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "state", tmp_path / "run")


def test_writes_only_what_changed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    assert files.write(file, "x")
    inode = file.stat().st_ino
    assert not files.write(file, "x")
    assert file.stat().st_ino == inode
    assert files.write(file, "y")
    assert file.read_text() == "y"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert files.write(file, "y", 0o644)
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    files.write(file, "old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_artefacts_are_the_same_bytes_every_time_and_differ_by_version() -> None:
    assert artefacts.samples() == artefacts.samples()
    assert len(set(artefacts.samples().values())) == 6
    with tarfile.open(fileobj=io.BytesIO(artefacts.samples()["myapp/myapp-0.0.2.tar.gz"])) as archive:
        assert archive.getnames() == ["healthcheck", "index.html", "version"]
        version = archive.extractfile("version")
        assert version is not None
        assert version.read() == b"0.0.2\n"
    assert b"0.0.1" in gzip.decompress(artefacts.site("myapp", "0.0.1"))


def test_the_base_image_has_a_shell_and_the_same_digest_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"static")
    monkeypatch.setattr(images, "run", lambda command: "busybox\nhttpd\nsh\n")
    layer = images._layer(busybox)
    assert images._layer(busybox) == layer
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        assert archive.getmember("bin/sh").linkname == "busybox"
        assert archive.getmember("bin/busybox").mode == 0o755
        assert archive.getmember("tmp").mode == 0o1777


def test_keys_are_made_once_and_are_nobody_elses(layout: Layout) -> None:
    layout.state.mkdir()
    certificates.ensure(layout)
    made = {file.name: file.read_bytes() for file in layout.keys.iterdir()}
    certificates.ensure(layout)
    assert {file.name: file.read_bytes() for file in layout.keys.iterdir()} == made
    assert {stat.S_IMODE(file.stat().st_mode) for file in layout.keys.iterdir()} == {0o600}
    assert len({made[f"{name}.token"] for name in certificates.TOKENS}) == len(certificates.TOKENS)
    assert b'"' not in made["tokens.csv"]


def test_half_made_keys_are_made_anew(layout: Layout) -> None:
    unfinished = layout.state / "keys.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "ca.key").write_text("half")
    certificates.ensure(layout)
    assert (layout.keys / "ca.key").read_text().startswith("-----BEGIN EC PRIVATE KEY-----")


def test_the_api_servers_certificates_hold_for_their_addresses(layout: Layout) -> None:
    from cryptography import x509

    certificates.ensure(layout)
    authority = x509.load_pem_x509_certificate((layout.keys / "ca.crt").read_bytes())
    for region in REGIONS:
        certificate = x509.load_pem_x509_certificate((layout.keys / f"api-server-{region.name}.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
        assert addresses == {region.address, region.node_address, region.service_address}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            layout.keys / f"api-server-{region.name}.crt", layout.keys / f"api-server-{region.name}.key"
        )


def test_the_kubeconfig_has_a_context_per_region(layout: Layout) -> None:
    certificates.ensure(layout)
    config = cluster.kubeconfig(layout, "admin")
    assert [context["name"] for context in config["contexts"]] == ["london", "virginia", "seoul"]
    assert config["clusters"][1]["cluster"]["server"] == "https://127.0.31.2:6443"
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    assert authority == (layout.keys / "ca.crt").read_bytes()
    assert config["users"][0]["user"]["token"] == certificates.token(layout.keys, "admin")


def test_a_region_plugs_its_pods_into_its_own_bridge_and_changes_no_routing(layout: Layout) -> None:
    found = []
    for region in REGIONS:
        (file,) = network.write_plugins(layout, region).glob("*.conflist")
        content: dict[str, Any] = json.loads(file.read_text())
        (plugin,) = content["plugins"]
        assert (plugin["isGateway"], plugin["ipMasq"]) == (False, False)
        assert len(region.bridge) <= 15
        found.append((content["name"], plugin["bridge"], plugin["ipam"]["ranges"][0][0]["subnet"]))
    assert len(set(found)) == 3


def test_the_htpasswd_line_is_for_what_moto_gives_out() -> None:
    assert (USER, PASSWORD) == ("AWS", "123456789012-auth-token")


def test_the_seed_is_read_back(layout: Layout) -> None:
    layout.state.mkdir()
    assert seeded(layout) is None
    (layout.state / "seed.json").write_text('{"moto": "x", "load_balancers": {"london": "lb.example"}}')
    assert seeded(layout) == Seed("x", {"london": "lb.example"})
    assert load_balancer(layout, REGIONS[0]) == "lb.example"
    (layout.state / "seed.json").write_text("{")
    assert seeded(layout) is None


MOUNTS = rb"""/dev/vda / ext4 rw 0 0
overlay /a overlay rw 0 0
tmpfs /a/state tmpfs rw 0 0
tmpfs /a/state/with\040blank\134 tmpfs rw 0 0
tmpfs /a/statement tmpfs rw 0 0
"""


def test_finds_mounts_below_a_directory_and_never_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda path: MOUNTS)
    assert mounts.below(Path("/a/state")) == [(Path("/a/state/with blank\\"), "tmpfs")]
    assert mounts.snapshotter(Path("/a/state/x")) == "overlayfs"
    assert mounts.snapshotter(Path("/a/other")) == "native"
    assert mounts.snapshotter(Path("/b")) == "overlayfs"


def test_a_tree_with_a_mount_in_it_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(mounts, "below", lambda directory: [(directory / "m", "tmpfs")])
    with pytest.raises(Exception, match="still mounted"):
        mounts.remove_tree(tmp_path)
    assert (tmp_path / "file").exists()


def test_stray_files_are_only_ours(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links, results, sockets = (tmp_path / name for name in ("links", "results", "sockets"))
    for directory in (links, results, sockets):
        directory.mkdir()
    monkeypatch.setattr(teardown, "_POD_LOG_LINKS", links)
    monkeypatch.setattr(teardown, "_CNI_RESULTS", results)
    monkeypatch.setattr(teardown, "_SHIM_SOCKETS", sockets)
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as plugins,  # a socket's path may have 107 bytes
        socket.socket(socket.AF_UNIX) as left,
        socket.socket(socket.AF_UNIX) as used,
    ):
        monkeypatch.setattr(teardown, "_DEVICE_PLUGINS", Path(plugins))
        left.bind(f"{plugins}/left.sock")
        used.bind(f"{plugins}/used.sock")
        used.listen()
        strays = _names_of_strays(layout, links, results, sockets)
    assert strays == {"ours.log", "deployer-sandbox-london-ab12-eth0", "cni-loopback-ab12-lo", "left.sock"}


def _names_of_strays(layout: Layout, links: Path, results: Path, sockets: Path) -> set[str]:
    (links / "ours.log").symlink_to(layout.state / "regions" / "london" / "pod-logs" / "0.log")
    (links / "others.log").symlink_to("/var/log/pods/0.log")
    (links / "file").touch()
    for name in ("deployer-sandbox-london-ab12-eth0", "cni-loopback-ab12-lo", "cni-loopback-cd34-lo", "cbr0-cd34-eth0"):
        (results / name).touch()
    (sockets / "not-a-socket").touch()
    return {file.name for file in teardown._stray_files(layout)}

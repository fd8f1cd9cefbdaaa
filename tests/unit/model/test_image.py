"""Images by the names that containers give them."""

import pytest

from deployer.model import Image

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("registry.test/team/app:1-a", Image("registry.test", "team/app", "1-a")),
        (f"127.0.31.1:5000/1/app:1@{DIGEST}", Image("127.0.31.1:5000", "1/app", "1", DIGEST)),
        (f"registry.test/app@{DIGEST}", Image("registry.test", "app", "", DIGEST)),
        ("registry.test/app", Image("registry.test", "app", "latest")),
        ("localhost/app", Image("localhost", "app", "latest")),
        ("busybox:1", None),
        ("library/busybox:1", None),
        ("", None),
    ],
)
def test_a_reference_is_taken_apart(reference: str, image: Image | None) -> None:
    assert Image.parse(reference) == image
    if image is not None and image.tag not in ("", "latest"):
        assert image.pinned == reference

"""What Helm's record of a release weighs."""

from __future__ import annotations

import json
import random

import pytest

from deployer.errors import ConfigurationError
from deployer.plan.manifests import RELEASE_LIMIT, check_release_size, release_size


def text(name: str, size: int) -> str:
    noise = random.Random(name).randbytes(size // 2).hex()
    return json.dumps({"kind": "ConfigMap", "metadata": {"name": name}, "data": {"noise": noise}})


def test_small_releases_pass() -> None:
    check_release_size([text("a", 10_000)])


def test_a_large_release_names_its_largest_manifest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_release_size([text("small", 10_000), text("large", 1_200_000)])
    assert "Helm can store 1,048,576" in caught.value.what
    assert "ConfigMap/large" in str(caught.value.hint)


def test_what_may_fit_is_left_to_helm() -> None:
    # 700,000 characters: Helm 3.22 stored them in 982,284 bytes, though the estimate is above the limit.
    texts = [text("large", 700_000)]
    assert RELEASE_LIMIT < release_size(texts) < RELEASE_LIMIT * 1.1
    check_release_size(texts)


def test_what_compresses_well_weighs_little() -> None:
    assert release_size([json.dumps({"data": "a" * RELEASE_LIMIT})]) < 50_000

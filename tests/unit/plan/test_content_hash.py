from __future__ import annotations

import hashlib
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from deployer.model import ContextEntry
from deployer.plan.content_hash import docker_hash


def file(path: str, content: bytes = b"", *, executable: bool = False) -> ContextEntry:
    return ContextEntry(
        path, "file", executable=executable, size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )


DOCKERFILE = file("Dockerfile", b"FROM scratch\nCOPY . /\n")
TREE = (
    DOCKERFILE,
    file("bin/start.sh", b"#!/bin/sh\nexec sleep 1\n", executable=True),
    file("ärger.txt", b"x"),
    file("z.txt", b""),
    ContextEntry("current", "link", target="bin/start.sh"),
    ContextEntry("logs", "directory"),
)


def test_golden_vectors() -> None:
    """Written down once: a change here gives every image of every user a new tag."""
    assert docker_hash([]) == "de4be349658e7d19653a07da9f6529fb"
    assert docker_hash([DOCKERFILE]) == "7b51385af58dca060daba10f67e61ad3"
    assert docker_hash(TREE) == "50237a7a166c756a71eeb158d23db382"
    assert (
        docker_hash(TREE, platforms=["linux/amd64", "linux/arm64"], args={"A": "1", "B": ""})
        == "a84bb6c7a11af23291c3aaef133facfd"
    )


def test_the_format_is_as_the_decision_record_says() -> None:
    def framed(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    content = hashlib.sha256(b"hello").digest()
    expected = framed(
        b"docker-context-1",
        (2).to_bytes(8, "big"),
        *(b"file", b"a/b", b"x", (5).to_bytes(8, "big") + content),
        *(b"link", b"c", b"-", b"a/b"),
        (1).to_bytes(8, "big"),
        b"linux/arm64",
        (1).to_bytes(8, "big"),
        *(b"KEY", b"value"),
    )
    entries = [ContextEntry("c", "link", target="a/b"), file("a/b", b"hello", executable=True)]
    hashed = docker_hash(entries, platforms=["linux/arm64"], args={"KEY": "value"})
    assert hashed == hashlib.sha256(expected).hexdigest()[:32]


def test_order_does_not_matter() -> None:
    for order in itertools.islice(itertools.permutations(TREE), 50):
        assert docker_hash(order) == docker_hash(TREE)
    assert docker_hash([], platforms=["a", "b"]) == docker_hash([], platforms=["b", "a", "a"])
    assert docker_hash([], args={"a": "1", "b": "2"}) == docker_hash([], args={"b": "2", "a": "1"})


def test_everything_that_counts_changes_it() -> None:
    variants = [
        docker_hash([file("a", b"1")]),
        docker_hash([file("a", b"2")]),
        docker_hash([file("b", b"1")]),
        docker_hash([file("a", b"1", executable=True)]),
        docker_hash([ContextEntry("a", "link", target="1")]),
        docker_hash([ContextEntry("a", "directory")]),
        docker_hash([file("a", b"1"), file("b", b"")]),
        docker_hash([file("a", b"1")], platforms=["linux/amd64"]),
        docker_hash([file("a", b"1")], args={"linux/amd64": ""}),
        docker_hash([file("a", b"1")], args={"linux": "/amd64"}),
    ]
    assert len(set(variants)) == len(variants)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(
    st.dictionaries(names, st.binary(max_size=5), max_size=6), st.dictionaries(names, st.binary(max_size=5), max_size=6)
)
def test_two_contexts_have_one_hash_only_when_they_are_the_same(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    first = [file(path, content) for path, content in one.items()]
    second = [file(path, content) for path, content in other.items()]
    random.Random(0).shuffle(second)
    assert (docker_hash(first) == docker_hash(second)) == (one == other)

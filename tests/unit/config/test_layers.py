from __future__ import annotations

from pathlib import Path

import pytest

from deployer.config import document
from deployer.config.layers import find, layer_files, merge
from deployer.config.nodes import MappingNode, ScalarNode, locate, node_at
from deployer.errors import ConfigurationError


def parse(text: str, name: str) -> MappingNode:
    return document.parse(text, name)


def test_layers_go_from_the_least_to_the_most_specific(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/prod.london.yaml").touch()
    layers = layer_files(tmp_path, "prod", "london")
    assert [(layer.name, layer.secret, layer.exists) for layer in layers] == [
        ("group_vars/all.yml", False, False),
        ("group_vars/prod.yml", False, False),
        ("group_vars/prod.london.yaml", False, True),
        ("group_vars/secrets_prod.yml", True, False),
        ("group_vars/secrets_prod.london.yml", True, False),
    ]


def test_a_layer_with_both_suffixes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    for name in ("a.yml", "a.yaml"):
        (tmp_path / "apps" / name).touch()
    with pytest.raises(ConfigurationError, match="are both there"):
        find(tmp_path, "apps", "a")


@pytest.mark.parametrize("target", ["nowhere", "prod.yml"])
def test_a_link_that_leads_nowhere_is_no_missing_layer(tmp_path: Path, target: str) -> None:
    """Leaving it out would deploy without its values."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/prod.yml").symlink_to(target)
    layer = layer_files(tmp_path, "prod", "london")[1]
    assert (layer.name, layer.exists) == ("group_vars/prod.yml", True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        document.read(layer.path, layer.name)


def test_mappings_merge_deeply_and_lists_replace() -> None:
    tree = merge(
        [
            parse("Values: {a: {x: 1, l: [1, 2]}, b: {y: 1}}\nOnly: 1", "one.yml"),
            parse("Values: {a: {x: 2, l: [3]}}", "two.yml"),
            parse("Values: {a: {x: 3}}", "three.yml"),
        ]
    )
    x = node_at(tree, ("Values", "a", "x"))
    assert isinstance(x, ScalarNode)
    assert (x.value, x.file) == (3, "three.yml")
    assert str(locate(tree, ("Values", "b", "y"))).startswith("one.yml")
    assert str(locate(tree, ("Values", "a", "l"))).startswith("two.yml")
    assert node_at(tree, ("Only",)) is not None
    items = node_at(tree, ("Values", "a", "l"))
    assert len(getattr(items, "items", ())) == 1
    values = node_at(tree, ("Values", "a"))
    assert isinstance(values, MappingNode)
    assert [getattr(node, "value", None) for node in values.entries["x"].overridden] == [1, 2]


def test_an_empty_value_does_not_take_a_mapping_away() -> None:
    with pytest.raises(ConfigurationError, match=r"Values is empty here but a mapping in one\.yml:1:1") as caught:
        merge([parse("Values: {a: 1}", "one.yml"), parse("x: 1\nValues:\n", "two.yml")])
    assert str(caught.value.where) == "two.yml:2:1"


def test_merging_leaves_its_parts_as_they_were() -> None:
    one, two = parse("A: {x: 1}", "one.yml"), parse("A: {y: 2}", "two.yml")
    merge([one, two])
    inner = one.entries["A"].value
    assert isinstance(inner, MappingNode)
    assert list(inner.entries) == ["x"]

"""The `Hooks` of an app: which playbooks are taken, and what they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.errors import DeployError, Location

from .conftest import APP, SOPS, STAGE, LoadOne

PLAY = "- hosts: localhost\n  tasks:\n    - debug: {msg: !unsafe '{{ x }}'}\n"


def app(hooks: str) -> str:
    return APP + f'Hooks: {hooks}\nMine: "{{{{ Version }}}}-{{{{ DockerHash }}}}"\n'


def faults(load_one: LoadOne, hooks: str, playbook: str = PLAY) -> list[DeployError]:
    with pytest.raises(DeployError) as caught:
        load_one({"apps/myapp.yml": app(hooks), "playbooks/a.yml": playbook})
    return list(caught.value.leaves())


def test_a_single_playbook_is_a_list_of_one(load_one: LoadOne) -> None:
    files = {"apps/myapp.yml": app("{BeforeBuild: playbooks/a.yml, OnFailure: [playbooks/a.yml], Timeout: 5}")}
    hooks = load_one({**files, "playbooks/a.yml": PLAY}).app.hooks
    assert hooks is not None
    assert hooks.before_build == hooks.on_failure == ("playbooks/a.yml",)
    assert (hooks.after_upgrade, hooks.timeout) == ((), 5.0)
    assert load_one().app.hooks is None


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        ("{BeforeBild: playbooks/a.yml}", "Hooks.BeforeBild is not known"),
        ("playbooks/a.yml", "Hooks must be a mapping"),
        ("{OnFailure: 5}", "Hooks.OnFailure must be a list"),
        ("{OnFailure: [playbooks/b.yml]}", "No such file"),
        ("{OnFailure: ../a.yml}", "cannot be run"),
        ("{OnFailure: /etc/passwd}", "it must be a path in the repository"),
        ("{OnFailure: playbooks}", "it is no file"),
        ("{OnFailure: ''}", "that is no path"),
        ("{OnFailure: playbooks/a.yml, Timeout: 0}", "Hooks.Timeout must be greater than 0"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(load_one: LoadOne, hooks: str, words: str) -> None:
    (error,) = faults(load_one, hooks)
    assert words in str(error)
    assert error.exit_code == 2
    assert isinstance(error.where, Location) and error.where.file == "apps/myapp.yml"


@pytest.mark.parametrize(
    ("playbook", "words"),
    [
        ("- hosts: x\n  tasks: [}\n", "it is not YAML: line 2"),
        ("hosts: x\n", "it is no list of plays"),
        ("", "it is no list of plays"),
        ("\0", "it is not YAML"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3334\n", "encrypted by Ansible Vault"),
        ("x" * 1_000_001, "larger than a playbook can be"),
    ],
)
def test_a_file_that_is_no_playbook_is_refused(load_one: LoadOne, playbook: str, words: str) -> None:
    (error,) = faults(load_one, "{AfterUpgrade: playbooks/a.yml}", playbook)
    assert words in str(error)


def test_a_link_out_of_the_repository_is_refused(load_one: LoadOne, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.yml"
    outside.write_text(PLAY)
    (tmp_path / "link.yml").symlink_to(outside)
    assert "it leads out of the repository" in str(faults(load_one, "{AfterUpgrade: link.yml}")[0])


def test_a_playbook_is_given_what_templates_can_use(load_one: LoadOne) -> None:
    stage = STAGE + "  other: {BROKEN: '{{ nowhere }}'}\n  more: {X: 1}\nShared: '{{ nowhere }}'\n"
    stage += "Webhook: {Url: 'https://example.com/hook', Secret: key}\nConfirm: true\nBranches: {}\nPlainKeys: []\n"
    loaded = load_one(
        {
            "apps/myapp.yml": app("{AfterUpgrade: playbooks/a.yml}"),
            "playbooks/a.yml": PLAY,
            "group_vars/prod.yml": stage,
            "group_vars/secrets_prod.yml": "Values: {myapp: {PASSWORD: x}}\nFingerprintKey: x\n" + SOPS,
        },
        secrets={"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "plain x"}}, "FingerprintKey": "k"}},
    )
    given = loaded.hook_variables("f" * 32)
    assert given["Values"]["myapp"] == {"Replicas": 2, "VERSION": "0.0.1", "VALUES1": "Hello", "PASSWORD": "plain x"}
    assert given["Values"]["more"] == {"X": 1} and "other" not in given["Values"]
    assert given["Mine"] == f"0.0.1-{'f' * 32}"
    assert (given["STAGE"], given["REGION"], given["APPLICATION"]) == ("prod", "london", "myapp")
    assert {"Helm", "Docker", "Hooks", "FingerprintKey", "Shared"}.isdisjoint(given)
    assert {"Webhook", "Confirm", "Branches", "PlainKeys"}.isdisjoint(given)


def test_what_is_wrong_in_the_own_values_is_told_before_anything_is_done(load_one: LoadOne) -> None:
    stage = STAGE + "    BROKEN: '{{ nowhere }}'\n"
    with pytest.raises(DeployError, match="nowhere"):
        load_one(
            {
                "apps/myapp.yml": app("{AfterUpgrade: playbooks/a.yml}"),
                "playbooks/a.yml": PLAY,
                "group_vars/prod.yml": stage,
            }
        )

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters.git import GitFiles
from deployer.adapters.sops import SopsFile
from deployer.config import Repository
from deployer.config.secret_files import SecretFile, all_secret_files, secret_file
from deployer.errors import ConfigurationError, ConflictError, DeployError, UnreachableError, UsageError
from deployer.model.secret_files import RotatedFile
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.changing import check_set, set_value, unset_value
from deployer.pipeline.secrets.checking import lint_index
from deployer.pipeline.secrets.differing import Comparison
from deployer.pipeline.secrets.editing import edit
from deployer.pipeline.secrets.keys import parse_key, show_key
from deployer.pipeline.secrets.listing import list_keys
from deployer.pipeline.secrets.rotation import Progress, rotate
from deployer.tools import require
from tests.unit.adapters.test_sops import PRIVATE, PUBLIC

RULES = f"creation_rules:\n  - path_regex: group_vars/secrets_(dev|prod)\n    age: {PUBLIC}\n"


def open_file(file: SecretFile) -> SopsFile:
    environ = {"PATH": os.environ["PATH"], "SOPS_AGE_KEY": PRIVATE, "HOME": "/"}
    return SopsFile(lambda: require("sops"), file.name, environ=environ)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    for name in ("apps", "group_vars"):
        (tmp_path / name).mkdir()
    (tmp_path / "apps/myapp.yml").write_text("Environments: [prod.london, prod.seoul]\n")
    for name in ("prod.london", "prod.seoul", "prod", "dev"):
        (tmp_path / f"group_vars/{name}.yml").write_text('DnsDomain: "x.test"\n')
    (tmp_path / ".sops.yaml").write_text(RULES)
    return Repository(tmp_path)


def put(repository: Repository, stage: str, region: str | None, key: str, value: Any) -> SecretFile:
    file = secret_file(repository, stage, region)
    set_value(repository.root, file, open_file(file), parse_key(key), lambda: value)
    return secret_file(repository, stage, region)


def values(file: SecretFile) -> Any:
    return open_file(file).values(file.path.read_bytes())


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("FingerprintKey", ("FingerprintKey",)),
        ("Values.my-app.PASSWORD", ("Values", "my-app", "PASSWORD")),
        ('Values["my.app"].Hosts[0]', ("Values", "my.app", "Hosts", 0)),
        ("Values['a b']", ("Values", "a b")),
    ],
)
def test_keys_are_read_and_shown(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_key(text) == path
    assert parse_key(show_key(path)) == path


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "[0]", "A=hunter2", "-hunter2", "psql://hunter2", "two hunter2", "sops.mac", "a[", "h" * 999],
)
def test_what_is_no_key_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_key(text)
    assert "hunter2" not in f"{raised.value}{raised.value.hint}"
    assert "hhh" not in f"{raised.value}{raised.value.hint}"


# --- set and unset ---------------------------------------------------------------------------------------------------


def test_a_file_is_made_by_its_rule_and_then_changed(repository: Repository) -> None:
    file = put(repository, "prod", "london", "Values.myapp.A", "s3cr3t-one")
    put(repository, "prod", "london", "Values.myapp.B", "s3cr3t-two")
    assert file.name == "group_vars/secrets_prod.london.yml"
    assert values(file) == {"Values": {"myapp": {"A": "s3cr3t-one", "B": "s3cr3t-two"}}}
    assert "s3cr3t" not in file.path.read_text()
    unset_value(file, open_file(file), ("Values", "myapp", "A"))
    assert values(file) == {"Values": {"myapp": {"B": "s3cr3t-two"}}}


@pytest.mark.parametrize(
    "value",
    ["1e5", "123e4", "0o17", "1_0e3", "2024-1-2", "yes", "null", "1:30", "\x85 y", "\u2028", "🔑", "a\nb\n", "", 5, 1.5,
     100000.0, True, {"a": {"b": "1e5", "1e5": "0o17"}}],
)  # fmt: skip
def test_the_first_value_of_a_file_is_kept_as_it_is(repository: Repository, value: Any) -> None:
    file = put(repository, "prod", None, "Values.A", value)
    assert values(file) == {"Values": {"A": value}}


def test_who_may_only_encrypt_can_begin_a_file(repository: Repository) -> None:
    file = secret_file(repository, "prod", None)
    environ = {"PATH": os.environ["PATH"], "HOME": "/"}
    blind = SopsFile(lambda: require("sops"), file.name, environ=environ)
    assert set_value(repository.root, file, blind, ("A",), lambda: "s3cr3t")
    assert values(file) == {"A": "s3cr3t"}
    with pytest.raises(UnreachableError):
        set_value(repository.root, file, blind, ("B",), lambda: "s3cr3t")


@pytest.mark.parametrize("value", [2**63 + 1, "a\ud800b"])
def test_what_sops_would_change_is_not_set(repository: Repository, value: Any) -> None:
    file = put(repository, "prod", None, "A", "one")
    before = file.path.read_bytes()
    with pytest.raises(ConfigurationError, match="would not keep the value of A as it is") as raised:
        put(repository, "prod", None, "A", value)
    assert str(2**63)[:6] not in str(raised.value)
    assert file.path.read_bytes() == before


def test_without_a_rule_it_is_said_what_to_write(repository: Repository) -> None:
    (repository.root / ".sops.yaml").write_text(RULES.replace("prod", "other"))
    with pytest.raises(ConfigurationError, match="no rule") as raised:
        check_set(repository.root, secret_file(repository, "prod", None), ("A",), branch=False)
    assert "path_regex: group_vars/secrets_prod" in str(raised.value.hint)
    (repository.root / ".sops.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no \.sops\.yaml"):
        check_set(repository.root, secret_file(repository, "prod", None), ("A",), branch=False)


def test_what_the_rule_leaves_open_is_not_set(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")
    before = file.path.read_bytes()
    with pytest.raises(ConfigurationError, match="would stand in the file in plain text") as raised:
        put(repository, "prod", None, "PASSWORD_unencrypted", "s3cr3t")
    assert "s3cr3t" not in str(raised.value)
    assert file.path.read_bytes() == before


def test_a_mapping_is_not_replaced_by_a_text_and_a_text_is_no_mapping(repository: Repository) -> None:
    file = put(repository, "prod", None, "Values.myapp.A", "one")
    with pytest.raises(UsageError, match=r"Values\.myapp is a mapping"):
        check_set(repository.root, file, ("Values", "myapp"), branch=False)
    check_set(repository.root, file, ("Values", "myapp"), branch=True)
    with pytest.raises(UsageError, match=r"Values\.myapp\.A is a single value"):
        check_set(repository.root, file, ("Values", "myapp", "A", "B"), branch=False)
    with pytest.raises(UsageError, match=r"there is no list Values\.myapp\.L"):
        check_set(repository.root, file, ("Values", "myapp", "L", 3), branch=False)
    check_set(repository.root, file, ("Values", "myapp", "L", 0), branch=False)


def test_an_unknown_key_is_told_with_what_was_meant(repository: Repository) -> None:
    file = put(repository, "prod", None, "Values.myapp.PASSWORD", "one")
    with pytest.raises(UsageError, match=r"there is no key Values\.myapp\.PASWORD") as raised:
        unset_value(file, open_file(file), ("Values", "myapp", "PASWORD"))
    assert "Values.myapp.PASSWORD" in str(raised.value.hint)
    with pytest.raises(UsageError, match="last key"):
        unset_value(file, open_file(file), ("Values",))


@pytest.mark.parametrize(
    "content", [b"A: s3cr3t\n", b"A: [s3cr3t\n", b"\xff\xfes3cr3t", b"", b"<<<<<<< s3cr3t\nA: 1\n"]
)
def test_a_file_that_is_not_encrypted_is_not_touched(repository: Repository, content: bytes) -> None:
    file = secret_file(repository, "prod", None)
    file.path.write_bytes(content)
    for change in (
        lambda: put(repository, "prod", None, "A", "x"),
        lambda: unset_value(file, open_file(file), ("A",)),
        lambda: edit(repository.root, file, open_file(file), lambda text, name: "A: 2", lambda error: False),
        lambda: list_keys([file]),
    ):
        with pytest.raises(ConfigurationError) as raised:
            change()
        assert "s3cr3t" not in str(raised.value)
    assert file.path.read_bytes() == content


def test_a_file_with_windows_line_ends_can_be_changed(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")
    file.path.write_bytes(file.path.read_bytes().replace(b"\n", b"\r\n"))
    put(repository, "prod", None, "B", "two")
    assert values(file) == {"A": "one", "B": "two"}


def test_what_somebody_else_wrote_meanwhile_is_kept(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")

    def value() -> str:
        put(repository, "prod", None, "THEIRS", "x")
        return "y"

    with pytest.raises(ConflictError):
        set_value(repository.root, file, open_file(file), ("OURS",), value)
    assert values(file) == {"A": "one", "THEIRS": "x"}


def test_mode_and_link_of_a_file_stay(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")
    real = repository.root / "elsewhere.yml"
    file.path.rename(real)
    real.chmod(0o640)
    file.path.symlink_to(real)
    put(repository, "prod", None, "A", "two")
    assert file.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert values(file) == {"A": "two"}
    assert sorted(path.name for path in (repository.root).iterdir() if path.name.startswith(".")) == [".sops.yaml"]


# --- edit ------------------------------------------------------------------------------------------------------------


def edited(
    repository: Repository, file: SecretFile, *texts: str | Callable[[str], str], go_on: bool = True
) -> tuple[bool, list[str], list[DeployError]]:
    """What `edit` does when the editor saves these texts one after the other; what it showed, and what it told."""
    shown: list[str] = []
    told: list[DeployError] = []
    answers = iter(texts)

    def editor(text: str, name: str) -> str:
        shown.append(text)
        answer = next(answers)
        return answer if isinstance(answer, str) else answer(text)

    def again(error: DeployError) -> bool:
        told.append(error)
        return go_on

    return edit(repository.root, file, open_file(file), editor, again), shown, told


def test_an_edit_changes_what_was_changed(repository: Repository) -> None:
    file = put(repository, "prod", None, "B", "two")
    put(repository, "prod", None, "A", "one")
    changed, shown, told = edited(repository, file, lambda text: "# why\n" + text.replace("one", "1st"))
    assert changed
    assert not told
    assert shown[0].index("B: two") < shown[0].index("A: one")
    assert values(file) == {"B": "two", "A": "1st"}
    assert open_file(file).text(file.path.read_bytes()).startswith("# why\n")


def test_an_edit_that_changes_nothing_leaves_the_file(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")
    before = file.path.stat()
    assert not edited(repository, file, lambda text: text)[0]
    after = file.path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    "wrong",
    ["A: [s3cr3t", "A: s3cr3t\nA: s3cr3t2", "A: *s3cr3t", "A: !s3cr3t x", "- s3cr3t", "", "A: 1\nsops: {}",
     "A: s3cr3t: x", "A: ENC[AES256_GCM,data:s3cr3t,type:str]"],
)  # fmt: skip
def test_a_mistake_is_told_without_its_values_and_edited_again_as_it_was_left(
    repository: Repository, wrong: str
) -> None:
    file = put(repository, "prod", None, "A", "one")
    changed, shown, told = edited(repository, file, wrong, "A: right\n")
    assert changed
    assert shown[1] == wrong
    assert "s3cr3t" not in "".join(f"{one}{one.hint}" for one in told)
    assert values(file) == {"A": "right"}


@pytest.mark.parametrize("text", ["1e5", "0o17", "2024-01-02", "2024-1-2"])
def test_a_text_that_is_a_number_for_sops_must_be_quoted(repository: Repository, text: str) -> None:
    file = put(repository, "prod", None, "A", "one")
    changed, _, told = edited(repository, file, f"A: one\nB:\n  - C: {text}\n", f"A: one\nB:\n  - C: '{text}'\n")
    assert changed
    assert [(one.what.split(", and")[0], str(one.where), one.hint) for one in told] == [
        ("SOPS takes B[0].C for a number or a time", "group_vars/secrets_prod.yml:3:8", "put it in quotes")
    ]
    assert values(file) == {"A": "one", "B": [{"C": text}]}


def test_what_was_a_time_before_does_not_stop_an_edit(repository: Repository) -> None:
    file = secret_file(repository, "prod", None)
    rules = repository.root / ".sops.yaml"
    file.path.write_bytes(open_file(file).encrypt("A: 2024-01-02\nB: one\n", rules, file.name))
    assert edited(repository, file, lambda text: text.replace("one", "two"))[0]
    assert values(file) == {"A": "2024-01-02T00:00:00Z", "B": "two"}


def test_who_gives_up_keeps_the_old_file(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")
    with pytest.raises(ConfigurationError):
        edited(repository, file, "A: [", go_on=False)
    assert values(file) == {"A": "one"}


def test_two_who_edit_at_once_do_not_overwrite_each_other(repository: Repository) -> None:
    file = put(repository, "prod", None, "A", "one")

    def meanwhile(text: str) -> str:
        put(repository, "prod", None, "A", "theirs")
        return text.replace("one", "ours")

    with pytest.raises(ConflictError, match="while it was being edited"):
        edited(repository, file, meanwhile)
    assert values(file) == {"A": "theirs"}


def test_a_new_file_is_made_by_an_edit(repository: Repository) -> None:
    file = secret_file(repository, "dev", None)
    assert not edited(repository, file, lambda text: text)[0]
    assert not file.path.exists()
    assert edited(repository, file, lambda text: text + "A: one\n")[0]
    assert values(file) == {"A": "one"}


# --- keys, diff ------------------------------------------------------------------------------------------------------


def test_keys_are_listed_with_their_types_and_without_a_key(repository: Repository) -> None:
    put(repository, "prod", None, "A", "one")
    put(repository, "prod", None, 'B["c.d"]', 3)
    put(repository, "prod", None, "C[0]", True)
    found = [(key.key, key.kind, key.encrypted) for key in list_keys(all_secret_files(repository, "prod"))]
    assert found == [("A", "text", True), ('B["c.d"]', "number", True), ("C[0]", "boolean", True)]


def git(repository: Repository, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@y.test", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=repository.root, check=True, capture_output=True)


@pytest.fixture
def committed(repository: Repository) -> Repository:
    put(repository, "prod", None, "FingerprintKey", "f" * 64)
    put(repository, "prod", "london", "Values.myapp.STAYS", "s3cr3t-0")
    put(repository, "prod", "london", "Values.myapp.CHANGES", "s3cr3t-1")
    put(repository, "prod", "london", "Values.myapp.GOES", "s3cr3t-2")
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "x")
    return repository


def test_changes_are_told_by_key_and_fingerprint(committed: Repository) -> None:
    file = put(committed, "prod", "london", "Values.myapp.CHANGES", "s3cr3t-2")
    put(committed, "prod", "london", "Values.myapp.COMES", "s3cr3t-3")
    unset_value(file, open_file(file), ("Values", "myapp", "GOES"))
    found = Comparison(GitFiles(committed.root), "HEAD", None, open_file).compare(all_secret_files(committed))
    changes = {change.key.rpartition(".")[2]: change for change in found.changes}
    assert {key: change.change for key, change in changes.items()} == {
        "CHANGES": "changed",
        "COMES": "added",
        "GOES": "removed",
    }
    assert changes["CHANGES"].after == changes["GOES"].before
    assert changes["CHANGES"].before != changes["CHANGES"].after
    assert "s3cr3t" not in repr(found)


def test_fingerprints_depend_on_the_stages_key_and_are_left_out_without_one(committed: Repository) -> None:
    file = put(committed, "prod", "london", "Values.myapp.CHANGES", "s3cr3t-2")

    def mark() -> str | None:
        return Comparison(GitFiles(committed.root), "HEAD", None, open_file).compare([file]).changes[0].after

    first = mark()
    put(committed, "prod", None, "FingerprintKey", "e" * 64)
    git(committed, "commit", "-qm", "y", "group_vars/secrets_prod.yml")
    second = mark()
    put(committed, "prod", None, "Other", "x")
    shared = secret_file(committed, "prod", None)
    unset_value(shared, open_file(shared), ("FingerprintKey",))
    git(committed, "commit", "-qm", "z", "group_vars/secrets_prod.yml")
    assert first is not None
    assert second is not None
    assert first != second
    assert mark() is None


def test_a_rotation_changes_no_secret(committed: Repository, tmp_path: Path) -> None:
    files = all_secret_files(committed)
    assert not rotate(committed.root, files, open_file, Progress(tmp_path / "p.json"), lambda *_: None)
    found = Comparison(GitFiles(committed.root), "HEAD", None, open_file).compare(files)
    assert not found.changes
    assert not found.errors


def test_without_the_key_the_names_of_what_may_have_changed_are_told(committed: Repository) -> None:
    file = put(committed, "prod", "london", "Values.myapp.CHANGES", "s3cr3t-2")

    def closed(one: SecretFile) -> SopsFile:
        return SopsFile(lambda: require("sops"), one.name, environ={"PATH": os.environ["PATH"], "HOME": "/"})

    found = Comparison(GitFiles(committed.root), "HEAD", None, closed).compare([file])
    assert [(one.key, one.change) for one in found.changes] == [("Values.myapp.CHANGES", "unknown")]
    assert len(found.errors) == 1


@pytest.mark.parametrize("revision", ["", "nowhere", "--all", "HEAD:x", "HEAD~99"])
def test_an_unknown_revision_is_told(committed: Repository, revision: str) -> None:
    with pytest.raises(UsageError, match="revision"):
        Comparison(GitFiles(committed.root), revision, None, open_file)


def test_outside_git_there_is_nothing_to_compare_with(repository: Repository) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        Comparison(GitFiles(repository.root), "HEAD", None, open_file)


# --- rotate ----------------------------------------------------------------------------------------------------------


class Failing:
    """Opens files, but one of them not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, file: SecretFile) -> SopsFile:
        if file.name == self.name:
            raise UnreachableError("KMS could not be reached", where=file.name)
        return open_file(file)


def test_an_interrupted_rotation_goes_on_with_the_rest(committed: Repository, tmp_path: Path) -> None:
    files = all_secret_files(committed)
    states: dict[str, str] = {}

    def told(one: RotatedFile, count: int, total: int) -> None:
        states[one.file] = one.state

    path = tmp_path / "p.json"
    errors = rotate(committed.root, files, Failing("group_vars/secrets_prod.yml"), Progress(path), told)
    assert len(errors) == 1
    assert states == {"group_vars/secrets_prod.london.yml": "rotated", "group_vars/secrets_prod.yml": "failed"}
    london = files[0].path.read_bytes()
    assert not rotate(committed.root, files, open_file, Progress(path), told)
    assert states == {"group_vars/secrets_prod.london.yml": "done before", "group_vars/secrets_prod.yml": "rotated"}
    assert files[0].path.read_bytes() == london
    assert not rotate(committed.root, files, open_file, Progress(path), told)
    assert set(states.values()) == {"rotated"}
    assert values(files[1]) == {"FingerprintKey": "f" * 64}


@pytest.mark.parametrize("obstacle", ["p", "p/p.json"])
def test_a_rotation_goes_on_where_its_progress_cannot_be_kept(
    committed: Repository, tmp_path: Path, obstacle: str
) -> None:
    """A file where the directory should be, and a directory where the file should be."""
    if obstacle == "p":
        (tmp_path / "p").write_text("")
    else:
        (tmp_path / "p/p.json/x").mkdir(parents=True)
    warnings: list[str] = []
    progress = Progress(tmp_path / "p/p.json", warn=warnings.append)
    files = all_secret_files(committed)
    states: list[str] = []
    assert not rotate(committed.root, files, open_file, progress, lambda one, *_: states.append(one.state))
    assert states == ["rotated", "rotated"]
    assert not progress.kept
    assert len(warnings) == 1
    assert "cannot go on where it stopped" in warnings[0]
    assert not list(tmp_path.glob("p/p.[0-9]*"))


def test_an_old_interruption_is_forgotten(committed: Repository, tmp_path: Path) -> None:
    file = all_secret_files(committed)[0]
    now = [0.0]
    progress = Progress(tmp_path / "p.json", now=lambda: now[0])
    progress.add(file, b"x")
    now[0] = 23 * 3600
    assert Progress(tmp_path / "p.json", now=lambda: now[0]).has(file, b"x")
    now[0] = 25 * 3600
    assert not Progress(tmp_path / "p.json", now=lambda: now[0]).has(file, b"x")
    (tmp_path / "p.json").write_text("[]")
    assert not Progress(tmp_path / "p.json").has(file, b"x")


def test_recipients_become_those_of_the_rules(committed: Repository, tmp_path: Path) -> None:
    other = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
    (committed.root / ".sops.yaml").write_text(RULES.replace(PUBLIC, f"{PUBLIC},{other}"))
    done: list[RotatedFile] = []
    files = all_secret_files(committed)
    assert not rotate(committed.root, files, open_file, Progress(tmp_path / "p"), lambda one, *_: done.append(one))
    assert all(one.recipients_updated for one in done)
    assert all(other in file.path.read_text() for file in files)


# --- the pre-commit hook's check -------------------------------------------------------------------------------------


def test_what_is_staged_counts_and_not_the_work_tree(committed: Repository) -> None:
    file = secret_file(committed, "dev", None)
    file.path.write_text("A: s3cr3t\n")
    git(committed, "add", file.name)
    put_later = open_file(file).encrypt("A: one\n", committed.root / ".sops.yaml", file.name)
    file.path.write_bytes(put_later)
    index = GitFiles(committed.root)
    (finding,) = lint_index(index)
    assert (finding.file, finding.line, finding.rule) == (file.name, 1, "plaintext-secrets")
    git(committed, "add", file.name)
    file.path.write_text("A: s3cr3t\n")
    assert not lint_index(index)


def test_a_value_in_plain_text_and_a_decrypted_copy_are_refused(committed: Repository) -> None:
    file = secret_file(committed, "prod", "london")
    lines = file.path.read_text().splitlines(keepends=True)
    lines[2] = "        STAYS: s3cr3t\n"
    file.path.write_text("".join(lines))
    (committed.root / "group_vars/unencrypted_secrets_prod.yml").write_text("A: s3cr3t\n")
    git(committed, "add", "-A")
    found = lint_index(GitFiles(committed.root))
    assert [(one.rule, one.line) for one in found] == [("secrets-plain-value", 3), ("secrets-leftover", 0)]
    assert "s3cr3t" not in repr(found)


def test_a_deleted_file_is_no_concern(committed: Repository) -> None:
    git(committed, "rm", "-q", "group_vars/secrets_prod.london.yml")
    assert not lint_index(GitFiles(committed.root))


def test_nothing_is_left_beside_a_file_that_cannot_be_written(
    committed: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = secret_file(committed, "prod", None)
    before = storage.read(file)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        storage.write(file, before, b"x")
    assert storage.read(file) == before
    assert not list(file.path.parent.glob(".*"))

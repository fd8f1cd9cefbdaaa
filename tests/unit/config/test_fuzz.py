"""Whatever is done to the files and templates, what comes is a DeployError with a place, and no secret in it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployer.config import Repository, document, load
from deployer.config.evaluation import Evaluator
from deployer.config.nodes import ScalarNode
from deployer.config.templating import Templates
from deployer.errors import DeployError

from .conftest import FILES, SOPS

CANARY = "hunter2c4n4ry"
ALL_FILES = {
    **FILES,
    "group_vars/secrets_prod.yml": "Values:\n  myapp:\n    PASSWORD: ENC[x]\n    PIN: ENC[x]\n" + SOPS,
}
PIECES = """
{{ }} {% %} {# #} {{Values}} {{Name}} {{Nothing}} {{1/0}} {{omit}} {{DockerHash}} {{[]}}
{{Values[Values.myapp.PASSWORD]}} {{Values.myapp.PASSWORD|int+'x'}} {{Values.myapp.PASSWORD|from_json}}
{{Values.myapp.PASSWORD|bool}} {{Values.myapp.PASSWORD}} {{Values.myapp.PASSWORD|b64encode|to_datetime}}
{{(Values.myapp.PASSWORD|list)[99]}} {{Values.myapp.PASSWORD.x}}
{{Values.myapp.PIN|hash(Values.myapp.PASSWORD)}} {{Values.myapp|to_json|from_yaml|bool}} {%for(i)in[1]%}
{%endfor%} {%if &a *a <<: !vault !unsafe !!int [ ] { } : - ? | > # ' " = @ ` % ~ yes 1e999 .nan 0x --- ...
%YAML Values: Name: Docker: Helm: Environments: Version: AwsRegion: Slack: é
""".split()  # noqa: SIM905 - readable
PIECES += ["\n", "  ", "\n  ", "\n- ", ": ", "\t", "\x00", "\x85", "\u2028", "\ufeff", "\ud800", "😀"]


def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
    return {"Values": {"myapp": {"PASSWORD": CANARY, "PIN": 1234}}}


def told(error: DeployError) -> str:
    return "\n".join(map(str, (error.what, error.where, error.why, error.hint, *error.chain)))


edits = st.lists(
    st.tuples(
        st.sampled_from(sorted(ALL_FILES)),
        st.integers(0, 10_000),
        st.integers(0, 30),
        st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=5),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(edits)
def test_broken_repositories(changes: list[tuple[str, int, int, str]]) -> None:
    files = dict(ALL_FILES)
    for name, position, removed, piece in changes:
        position %= len(files[name]) + 1
        files[name] = files[name][:position] + piece + files[name][position + removed :]
    with TemporaryDirectory() as directory:
        root = Path(directory)
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        repository = Repository.find(root)
        try:
            load(repository, repository.targets("prod", "london", ["myapp"]), decrypt=decrypt)
        except DeployError as group:
            for error in group.leaves():
                assert error.exit_code == 2
                assert error.where is not None, told(error)
                assert CANARY not in told(error)
                assert "pydantic" not in told(error)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map(" ".join))
def test_broken_templates(template: str) -> None:
    root = document.parse(f"Name: myapp\nValues: {{myapp: {{PASSWORD: {CANARY}, PIN: 5}}}}", "f.yml")
    values: Any = root.entries["Values"].value
    object.__setattr__(values.entries["myapp"].value.entries["PASSWORD"].value, "secret", True)
    try:
        Evaluator(root, {}, Templates()).plain(ScalarNode(template, "t.yml", 1), ("key",))
    except DeployError as error:
        assert error.where is not None
        assert CANARY not in told(error)


@settings(max_examples=300)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(PIECES), max_size=10).map(lambda p: " ".join(p).encode("utf-8", "ignore"))
)
def test_broken_documents(content: bytes) -> None:
    try:
        document.parse(content, "f.yml")
    except DeployError as error:
        assert str(error.where).startswith("f.yml")

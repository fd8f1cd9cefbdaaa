"""Every command, as it succeeds and as it fails: the table of what is searched for leaks. A command is a row."""

from __future__ import annotations

from dataclasses import dataclass

from tests.sandbox.leak_story import (
    Change,
    broken_file,
    crash,
    failing_build,
    failing_hook,
    from_github,
    in_annotation,
    new_value,
    no_cluster,
    no_registry,
    plaintext,
    refused,
    takes_branches,
    undefined,
    wrong_filter,
    wrong_key,
)


@dataclass(frozen=True)
class Row:
    """One command line (`{app}` is the app, `{dir}` an empty directory) and how it may end.

    `change` does something to the project before it, which is taken back afterwards; `stdin` is what is piped into
    it; `kill` a text upon which it is killed; `says` is a part of what it must have said.
    """

    command: str
    codes: tuple[int, ...] = (0,)
    change: Change | None = None
    stdin: str = ""
    kill: str = ""
    says: str = ""
    editor: str = ""


ANY = (0, 1, 2, 3, 4, 5)
LINT = (0, 2)
STORY = [
    Row("deploy local london {app} -v --debug", says="***"),
    Row("deploy local london {app} --json", says="unchanged"),
    Row("plan local london {app} -v --debug", change=new_value, says="DASH"),
    Row("plan local london {app} --json --exit-code", (3,), change=new_value),
    Row("deploy local london {app} --yes --json -v", change=new_value, says="deployed"),
    Row("status local --json"),
    Row("status local --html {dir}/status.html --debug"),
    Row("history local london {app}"),
    Row("history local london {app} --json"),
    Row("render local london {app} --debug"),
    Row("render local london {app} --out {dir}"),
    Row("render local london {app} --show-secrets", (2,)),
    Row("explain local london {app} --debug", says="•••"),
    Row("explain local london {app} Values --json", says="QUOTES"),
    Row("explain local london {app} Helm"),
    *(Row(f"lint {{app}} --format {name}", LINT) for name in ("text", "json", "sarif", "github")),
    Row("doctor local london --json", ANY),
    Row("doctor --debug", ANY),
    Row("dns plan local london {app} --json -v", ANY),
    Row("dns status local london {app} --debug", ANY),
    Row("dns drain local london {app} --yes --debug", ANY),
    Row("deploy local london {app} --branch feature/x --json -v --debug", change=takes_branches, says="deployed"),
    Row("branches list local --json", says="feature/x"),
    Row("branches delete local london {app} feature/x --yes -v --debug", says="removed"),
    Row("branches expire local --debug"),
    Row("jenkins generate --out {dir} --debug", ANY),
    Row("secrets keys local --json", says="QUOTES"),
    Row("secrets keys local"),
    Row("secrets diff HEAD --json", change=new_value, says="DASH"),
    Row("secrets diff HEAD local --debug", change=new_value, says="DASH"),
    Row("secrets set local Values.{app}.NEW --debug", stdin="{secret}", says="set"),
    Row("secrets set local Values.{app}.NEW --type json --debug", (2,), stdin="[{secret}"),
    Row("secrets set local Values.{app}.NEW {secret-like} --debug", (2,)),
    Row("secrets unset local Values.{app}.GREETING"),
    Row("secrets edit local --debug", editor="sed -i s/GREETING/GREETINGS/"),
    Row("secrets edit local --debug", (2,), editor="sed -i s/^Values:/Values/"),
    Row("secrets rotate local --json --debug"),
    Row("secrets lint local --json", LINT),
    Row("secrets lint --debug", LINT, change=plaintext),
    Row("plan local london {app} --debug", (2,), change=plaintext),
    Row("adopt local london {app} --json --debug --yes", ANY),
    Row("promote local elsewhere {app} --json --debug", ANY),
    Row("unlock local london {app} --json --yes", ANY),
    # Failures.
    Row("deploy local london {app} --json -v --debug", (1,), change=failing_build, says="***"),
    Row("deploy local london {app} --json -v --debug", (1,), change=crash, says="***"),
    Row("deploy local london {app} -v --debug", (1,), change=failing_hook),
    Row("deploy local london {app} --json --debug", (2,), change=refused),
    Row("plan local london {app} --debug", (2,), change=in_annotation),
    Row("lint {app}", (2,), change=in_annotation),
    Row("plan local london {app} --debug", (2,), change=undefined, says="URLL"),
    Row("explain local london {app} Helm --json", ANY, change=undefined),
    Row("lint {app} --format sarif --debug", (2,), change=undefined),
    Row("plan local london {app} --json --debug", (2,), change=wrong_filter),
    Row("explain local london {app} Helm --debug", ANY, change=wrong_filter),
    Row("deploy local london {app} --json --debug", (2, 5), change=from_github),
    Row("deploy local london {app} --json --debug", (5,), change=no_registry),
    Row("deploy local london {app} --debug", (5,), change=no_cluster),
    *(
        Row(f"{command} --debug", (2, 5), change=change)
        for change in (broken_file, wrong_key)
        for command in ("plan local london {app}", "explain local london {app} --json", "status local --json")
    ),
    Row("secrets rotate local --json --debug", ANY, change=wrong_key),
    Row("deploy local london {app} -v", (-9,), change=new_value, kill="rollout …"),
    Row("status local"),
    Row("recover local london {app} --yes --json --debug", ANY),
    Row("rollback local london {app} --yes --json -v --debug", ANY),
    Row("rollback local london {app} --plan --debug", ANY),
    Row("remove local london {app} --plan --debug"),
    Row("remove local london {app} --yes --json -v"),
    Row("history local london {app} --debug", ANY),
]
BEFORE_REMOVAL = next(row for row in STORY if row.command.startswith("remove"))
NOT_TOLD = {"init", "sandbox"}
"""Commands that know no secret of a project's."""

import math

import pytest

from deployer.errors import UnreachableError
from deployer.model import Holder, LockState, ReleaseLock, Target
from deployer.report.locks import lock_lines, locks_document

TARGET = Target("prod", "london", "myapp")
ANNA = Holder("d-1", "anna@laptop", "build-7", "2026-11-21T07:00:00+00:00", "rollback")
HELD = LockState(ANNA, 21.4, "uid/d-1")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (HELD, "anna@laptop holds it for `rollback` since 2026-11-21T07:00:00+00:00 on build-7 (deployment d-1); "),
        (HELD, "; it expires in 21 s unless it is renewed"),
        (LockState(ANNA, 0.0, "v"), "; it has expired"),
        (LockState(ANNA, 9.0, "v", alive=True), " on build-7, where its process runs (deployment"),
        (LockState(ANNA, 9.0, "v", alive=False), " on build-7, where its process has ended (deployment"),
        (LockState(None, math.inf, "v"), "its Lease is another tool's, or was changed by hand; it never expires"),
    ],
)
def test_a_lock_is_shown_with_its_holder(state: LockState, words: str) -> None:
    [line] = lock_lines([ReleaseLock(TARGET, state)])
    assert line.startswith("london myapp: locked: ")
    assert words in line


def test_each_region_has_a_line_but_those_that_failed() -> None:
    locks = [
        ReleaseLock(TARGET),
        ReleaseLock(TARGET, HELD, freed=True),
        ReleaseLock(TARGET, error=UnreachableError("no answer")),
    ]
    assert list(lock_lines(locks)) == ["london myapp: not locked", "london myapp: freed"]


def test_a_holder_cannot_write_to_the_terminal() -> None:
    evil = LockState(Holder("d", "anna\x1b[2J", "m", ""), 9.0, "v")
    assert "\x1b" not in "".join(lock_lines([ReleaseLock(TARGET, evil)]))


def test_the_document_is_the_documented_one() -> None:
    document = locks_document([ReleaseLock(TARGET, HELD, freed=True), ReleaseLock(TARGET)])
    assert document["ok"] is True
    assert document["targets"] == [
        {
            "application": "myapp",
            "region": "london",
            "outcome": "freed",
            "lock": {
                "who": "anna@laptop",
                "machine": "build-7",
                "deployment": "d-1",
                "action": "rollback",
                "since": "2026-11-21T07:00:00+00:00",
                "alive": None,
                "expired": False,
                "expiresIn": 21,
            },
            "errors": [],
        },
        {"application": "myapp", "region": "london", "outcome": "not locked", "lock": None, "errors": []},
    ]


def test_the_document_has_what_failed_and_no_number_that_is_none() -> None:
    document = locks_document(
        [
            ReleaseLock(TARGET, error=UnreachableError("no answer", hint="try again")),
            ReleaseLock(TARGET, LockState(None, math.inf, "v"), freed=True),
        ]
    )
    failed, foreign = document["targets"]
    assert document["ok"] is False
    assert failed["outcome"] == "failed"
    assert failed["errors"][0]["what"] == "no answer"
    assert foreign["lock"]["expiresIn"] is None and foreign["lock"]["who"] is None

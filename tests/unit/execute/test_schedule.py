"""Jobs in turn: needs first, a few at a time, none after one that it needs has failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from threading import Barrier, Event, Lock

from deployer.execute.parallel import run_all
from deployer.execute.schedule import Turns, in_turn


class Jobs:
    """Jobs that write down their beginnings, and how many run at once."""

    def __init__(self, failing: Sequence[str] = ()) -> None:
        self.begun: list[str] = []
        self.refused: dict[str, str] = {}
        self.running = self.most = 0
        self._failing = failing
        self._lock = Lock()

    def run(self, name: str) -> bool:
        with self._lock:
            self.begun.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
        with self._lock:
            self.running -= 1
        return name not in self._failing

    def all(self, needs: Mapping[str, Sequence[str]], at_once: int = 8) -> None:
        turns = Turns(list(needs), needs, at_once)
        run_all(
            [
                partial(in_turn, turns, name, partial(self.run, name), partial(self.refused.__setitem__, name))
                for name in needs
            ]
        )


def test_each_comes_after_those_that_it_needs() -> None:
    jobs = Jobs()
    jobs.all({"web": ["api", "cache"], "api": ["database"], "cache": [], "database": []})
    order = jobs.begun.index
    assert order("database") < order("api") < order("web")
    assert order("cache") < order("web")


def test_needs_outside_the_command_do_not_count() -> None:
    jobs = Jobs()
    jobs.all({"web": ["elsewhere"]})
    assert jobs.begun == ["web"]


def test_whoever_needs_a_failed_one_is_not_begun_and_others_are() -> None:
    jobs = Jobs(failing=["database"])
    jobs.all({"web": ["api"], "api": ["database"], "database": [], "other": []})
    assert sorted(jobs.begun) == ["database", "other"]
    assert jobs.refused == {
        "api": "it needs database, which was not deployed",
        "web": "it needs api, which was not deployed",
    }


def test_no_more_than_asked_for_run_at_once() -> None:
    jobs = Jobs()
    jobs.all({f"app{number}": [] for number in range(20)}, at_once=1)
    assert (len(jobs.begun), jobs.most) == (20, 1)


def test_as_many_as_asked_for_do_run_at_once() -> None:
    meeting = Barrier(3)
    turns = Turns(["a", "b", "c"], {}, 3)

    def run() -> bool:
        meeting.wait(30)  # breaks unless all three are here together
        return True

    outcomes, _ = run_all([partial(in_turn, turns, name, run, lambda why: None) for name in ("a", "b", "c")])
    assert [outcome.error for outcome in outcomes] == [None, None, None]


def test_a_stop_ends_the_waiting() -> None:
    refused: list[str] = []
    turns = Turns(["first", "second"], {"second": ["first"]}, 1)
    begun = Event()

    def first() -> bool:
        begun.set()
        turns.stop()
        return True

    run_all([partial(in_turn, turns, "first", first, refused.append)])
    in_turn(turns, "second", first, refused.append)
    assert begun.is_set()
    assert refused == ["it was stopped before its turn"]


def test_a_defect_counts_as_not_gone_well() -> None:
    turns = Turns(["first", "second"], {"second": ["first"]}, 1)
    refused: list[str] = []

    def broken() -> bool:
        raise ValueError

    outcomes, _ = run_all(
        [
            partial(in_turn, turns, "first", broken, refused.append),
            partial(in_turn, turns, "second", lambda: True, refused.append),
        ]
    )
    assert isinstance(outcomes[0].error, ValueError)
    assert refused == ["it needs first, which was not deployed"]

import math
import threading
from datetime import timedelta
from typing import Any

import pytest

from deployer.adapters.leases import this_machine, this_process
from deployer.adapters.leases.held import RENEW_SECONDS, HeldLease
from deployer.adapters.leases.lease import DURATION, MARGIN
from deployer.errors import ConfigurationError, HeldError, NotPermitted, UnreachableError
from tests.unit.adapters.leases.stand_ins import ELSEWHERE, NAMESPACE, Clock, Leases, Machine, Passing

LEASE = "deploy-myapp"


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on in the background, where real seconds pass: tests renew, and look, themselves."""
    monkeypatch.setattr(HeldLease, "start", lambda self: None)


@pytest.fixture
def leases() -> Leases:
    return Leases(Clock())


def test_a_free_lock_is_taken_and_shown_with_its_holder(leases: Leases) -> None:
    machine = Machine(leases)
    assert machine.look() is None
    held = machine.acquire()
    assert held.taken_over is None
    state = machine.look()
    assert state is not None and state.holder is not None
    assert (state.holder.deployment_id, state.holder.who, state.holder.machine) == ("d-1", "anna@laptop", ELSEWHERE)
    assert state.holder.since == "2026-11-21T07:00:00+00:00"
    assert state.expires_in == DURATION + MARGIN
    assert not state.expired
    spec = leases.content[LEASE]["spec"]
    assert spec["renewTime"] == spec["acquireTime"] == "2026-11-21T07:00:00.000000Z"
    held.release()
    assert leases.content == {}
    assert machine.lost == 0


def test_a_held_lock_is_refused_with_its_holder_and_what_to_do(leases: Leases) -> None:
    Machine(leases).acquire("d-1")
    with pytest.raises(HeldError) as refused:
        Machine(leases, name="laptop").acquire("d-2")
    error = refused.value
    assert error.exit_code == 4
    assert error.where == "prod london"
    assert error.why is not None and error.hint is not None
    for part in ("anna@laptop", "`deploy`", "since 2026-11-21T07:00:00", "build-7", "d-1", "expires in 33 s"):
        assert part in error.why
    assert "--lock-wait" in error.hint
    assert "deploy unlock prod london myapp" in error.hint


def test_one_of_two_racers_wins(leases: Leases) -> None:
    first, second = Machine(leases, name="a"), Machine(leases, name="b")

    def interfere(request: str) -> None:
        if request == "create":
            leases.before = lambda _: None
            second.acquire("d-2")

    leases.before = interfere
    with pytest.raises(HeldError, match="locked"):
        first.acquire("d-1")
    state = first.look()
    assert state and state.holder and state.holder.deployment_id == "d-2"


def test_many_threads_have_it_one_at_a_time(leases: Leases) -> None:
    inside = threading.Semaphore(1)
    ends: list[bool] = []

    def work(number: int) -> None:
        held = Machine(leases, name=str(number)).acquire(f"d-{number}", wait=1e9, stop=_Yielding())
        ends.append(inside.acquire(blocking=False))
        inside.release()
        held.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends == [True] * 8
    assert leases.content == {}


class _Yielding(threading.Event):
    """Lets other threads run instead of waiting."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(0.001)


def test_an_expired_lock_is_taken_over(leases: Leases) -> None:
    old = Machine(leases)
    held = old.acquire("d-1")
    leases.clock.seconds += DURATION + MARGIN - 0.5
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2")
    leases.clock.seconds += 1
    state = old.look()
    assert state is not None and state.expired and state.expires_in == 0
    new = Machine(leases)
    taken = new.acquire("d-2")
    assert taken.taken_over is not None and taken.taken_over.holder is not None
    assert taken.taken_over.holder.deployment_id == "d-1"
    assert leases.content[LEASE]["spec"]["leaseTransitions"] == 1
    with pytest.raises(HeldError, match="the lock of myapp was lost") as lost:
        held.confirm()
    assert lost.value.why is not None and "d-2" in lost.value.why
    assert old.lost == 1
    held.release()
    assert new.look() is not None, "who lost it gives back nothing"


def test_of_two_who_take_over_one_wins(leases: Leases) -> None:
    Machine(leases).acquire("d-1")
    leases.clock.seconds += 100
    second = Machine(leases)

    def interfere(request: str) -> None:
        if request == "replace":
            leases.before = lambda _: None
            second.acquire("d-3")

    leases.before = interfere
    with pytest.raises(HeldError) as refused:
        Machine(leases).acquire("d-2")
    assert refused.value.why is not None and "d-3" in refused.value.why


def test_renewing_keeps_it(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire("d-1")
    for _ in range(10):
        leases.clock.seconds += RENEW_SECONDS
        assert held.renew() == RENEW_SECONDS
        with pytest.raises(HeldError):
            Machine(leases).acquire("d-2")
    state = machine.look()
    assert state and state.holder and state.holder.since == "2026-11-21T07:00:00+00:00"
    held.release()
    assert held.renew() is None


@pytest.mark.parametrize("off", [-86400.0, 86400.0])
def test_the_clock_of_a_machine_does_not_matter(leases: Leases, off: float) -> None:
    wrong = Clock()
    wrong.seconds += off
    held = Machine(leases, wrong).acquire("d-1")
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2")
    leases.clock.seconds += 20
    wrong.seconds += 20
    assert held.renew() == RENEW_SECONDS
    leases.clock.seconds += 20
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2")
    held.confirm()


def test_a_server_clock_that_was_set_back_does_not_hold_for_ever(leases: Leases) -> None:
    leases.set_by = timedelta(days=1)
    Machine(leases).acquire("d-1")
    leases.set_by = timedelta()
    state = Machine(leases).look()
    assert state is not None and state.expires_in == DURATION + MARGIN
    machine = Machine(leases)
    machine.acquire("d-2", wait=120)
    assert 1000 + DURATION + MARGIN < leases.clock.seconds < 1000 + DURATION + 10


def test_who_is_seen_renewing_is_not_taken_over_whatever_the_times_say(leases: Leases) -> None:
    leases.set_by = timedelta(days=1)
    held = Machine(leases).acquire("d-1")
    leases.set_by = timedelta()
    stop = Passing(leases.clock, then=lambda: leases.annotate(LEASE))
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2", wait=120, stop=stop)
    held.confirm()


def test_a_cluster_that_fails_for_a_moment_loses_nothing(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    _break(leases)
    leases.clock.seconds += 25
    pause = held.renew()
    assert pause is not None and pause < RENEW_SECONDS
    with pytest.raises(UnreachableError):
        held.confirm()
    assert machine.lost == 0
    leases.before = lambda request: None
    assert held.renew() == RENEW_SECONDS
    held.confirm()


def test_it_is_lost_when_it_could_not_be_renewed_until_it_expired(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    _break(leases)
    leases.clock.seconds += DURATION
    assert held.renew() is None
    assert machine.lost == 1
    leases.before = lambda request: None
    with pytest.raises(HeldError, match="was lost") as lost:
        held.confirm()
    assert lost.value.why is not None and "no answer" in lost.value.why
    assert machine.lost == 1
    held.release()
    assert leases.content == {}, "nobody else has taken it: it is still ours to give back"


def test_it_is_lost_when_it_runs_out_while_a_renewal_hangs(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    hanging, answer = threading.Event(), threading.Event()

    def hang(request: str) -> None:
        hanging.set()
        answer.wait(30)

    leases.before = hang
    renewal = threading.Thread(target=held.renew)
    renewal.start()
    assert hanging.wait(30)
    for _ in range(DURATION):
        assert machine.lost == 0
        leases.clock.seconds += 1
        held.look()
    assert machine.lost == 1
    answer.set()
    renewal.join()
    with pytest.raises(HeldError, match="was lost") as lost:
        held.confirm()
    assert lost.value.why is not None and "takes too long" in lost.value.why


def test_who_notices_its_end_tells_why_it_was_not_renewed(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    _break(leases)
    leases.clock.seconds += DURATION - 1
    assert held.renew() == 1.0
    leases.clock.seconds += 1
    held.look()
    with pytest.raises(HeldError, match="was lost") as lost:
        held.confirm()
    assert lost.value.why is not None and "no answer" in lost.value.why


def test_a_machine_that_wakes_up_asks_before_it_gives_up(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    leases.clock.seconds += 3600
    held.look()
    leases.clock.seconds += 5
    held.look()
    assert machine.lost == 0
    assert held.renew() == RENEW_SECONDS
    leases.clock.seconds += 6
    held.look()
    assert machine.lost == 0


def test_a_machine_that_slept_keeps_what_nobody_took(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    leases.clock.seconds += 3600
    assert held.renew() == RENEW_SECONDS
    held.confirm()
    assert machine.lost == 0


def test_a_defect_in_renewing_does_not_go_unnoticed(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()

    def fail(request: str) -> None:
        raise RuntimeError

    leases.before = fail
    leases.clock.seconds += 10
    assert held.renew() is not None
    leases.clock.seconds += 20
    assert held.renew() is None
    assert machine.lost == 1


def test_a_renewal_whose_answer_is_lost_is_recognised(leases: Leases) -> None:
    held = Machine(leases).acquire()
    leases.after = _break_off
    with pytest.raises(UnreachableError):
        held.confirm()
    leases.after = lambda request: None
    held.confirm()
    held.release()
    assert leases.content == {}


@pytest.mark.parametrize("request_name", ["create", "replace"])
def test_a_lock_that_was_taken_without_an_answer_is_given_back(leases: Leases, request_name: str) -> None:
    if request_name == "replace":
        Machine(leases).acquire("d-0")
        leases.clock.seconds += 100
    leases.after = lambda request: _break_off(request) if request == request_name else None
    with pytest.raises(UnreachableError):
        Machine(leases).acquire("d-1")
    assert leases.content == {}


def test_a_signal_while_taking_it_leaves_nothing_behind(leases: Leases) -> None:
    def interrupt(request: str) -> None:
        leases.after = lambda _: None
        raise KeyboardInterrupt

    leases.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        Machine(leases).acquire()
    assert leases.content == {}


def test_somebody_elses_note_on_the_lease_changes_nothing(leases: Leases) -> None:
    machine = Machine(leases)
    held = machine.acquire()
    leases.annotate(LEASE)
    held.confirm()
    leases.annotate(LEASE)
    assert held.renew() == RENEW_SECONDS
    leases.annotate(LEASE)
    held.release()
    assert leases.content == {}
    assert machine.lost == 0


def test_giving_back_never_raises(leases: Leases) -> None:
    held = Machine(leases).acquire()
    _break(leases)
    held.release()
    held.release()


def test_a_freed_lock_is_noticed_and_freeing_is_for_what_was_seen(leases: Leases) -> None:
    machine, other = Machine(leases), Machine(leases)
    held = machine.acquire("d-1")
    seen = other.look()
    assert seen is not None
    leases.clock.seconds += 10
    held.renew()
    other.locks.free("myapp", NAMESPACE, seen)
    assert leases.content == {}
    assert held.renew() is None
    assert machine.lost == 1
    with pytest.raises(HeldError) as lost:
        held.confirm()
    assert lost.value.why is not None and "freed" in lost.value.why
    assert leases.content == {}, "it is not taken anew"
    other.locks.free("myapp", NAMESPACE, seen)

    Machine(leases).acquire("d-2")
    with pytest.raises(HeldError, match="another holder") as refused:
        other.locks.free("myapp", NAMESPACE, seen)
    assert refused.value.why is not None and "d-2" in refused.value.why
    assert other.look() is not None


def test_freeing_follows_a_holder_who_renews_at_that_moment(leases: Leases) -> None:
    held = Machine(leases).acquire("d-1")
    seen = Machine(leases).look()
    assert seen is not None

    def renew(request: str) -> None:
        if request == "delete":
            leases.before = lambda _: None
            held.renew()

    leases.before = renew
    Machine(leases).locks.free("myapp", NAMESPACE, seen)
    assert leases.content == {}


def test_waiting_ends_when_the_holder_is_done_and_tells_every_holder_once(leases: Leases) -> None:
    clock = leases.clock
    held = [Machine(leases).acquire("d-1")]
    end = clock.seconds + 60

    def others() -> None:
        if clock.seconds > end:
            held[-1].release()
        elif clock.seconds > end - 30 and len(held) == 1:
            held[0].release()
            held.append(Machine(leases).acquire("d-2"))
        else:
            held[-1].renew()

    machine = Machine(leases)
    machine.acquire("d-3", wait=120, stop=Passing(clock, others))
    told = [state.holder.deployment_id for state in machine.waited_for if state.holder]
    assert told == ["d-1", "d-2"]
    assert clock.seconds < end + 2


def test_waiting_ends_in_time(leases: Leases) -> None:
    held = Machine(leases).acquire("d-1")
    began = leases.clock.seconds
    with pytest.raises(HeldError) as refused:
        Machine(leases).acquire("d-2", wait=90, stop=Passing(leases.clock, held.renew))
    assert leases.clock.seconds - began == pytest.approx(90)
    assert refused.value.why is not None and "90 s" in refused.value.why


def test_waiting_is_stopped(leases: Leases) -> None:
    Machine(leases).acquire("d-1")
    stop = Passing(leases.clock)
    stop._then = stop.set
    began = leases.clock.seconds
    with pytest.raises(HeldError) as refused:
        Machine(leases).acquire("d-2", wait=600, stop=stop)
    assert leases.clock.seconds - began < 3
    assert refused.value.why is not None and "stopped" in refused.value.why


def test_the_dead_of_this_machine_are_taken_over_at_once(leases: Leases) -> None:
    boot_and_namespace = this_process().rsplit("/", 2)[0]
    Machine(leases).acquire("d-1", machine=this_machine(), process=f"{boot_and_namespace}/1/1")
    state = Machine(leases).look()
    assert state is not None and state.alive is False and state.expired and state.expires_in > 0
    taken = Machine(leases).acquire("d-2")
    assert taken.taken_over is not None


def test_the_living_of_this_machine_are_not(leases: Leases) -> None:
    Machine(leases).acquire("d-1", machine=this_machine(), process=this_process())
    state = Machine(leases).look()
    assert state is not None and state.alive is True
    with pytest.raises(HeldError, match="locked") as refused:
        Machine(leases).acquire("d-2")
    assert refused.value.why is not None and "where its process runs" in refused.value.why


def test_what_process_names_on_another_machine_counts_for_nothing(leases: Leases) -> None:
    Machine(leases).acquire("d-1", machine=ELSEWHERE, process=f"{this_process().rsplit('/', 2)[0]}/1/1")
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2")


def _foreign(leases: Leases, spec: Any, annotations: Any = None) -> None:
    leases.create(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": LEASE,
                "namespace": NAMESPACE,
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": spec,
        }
    )


def test_another_tools_lease_is_respected_for_as_long_as_it_says(leases: Leases) -> None:
    spec = {"holderIdentity": "argo", "leaseDurationSeconds": 300, "renewTime": "2026-11-21T07:00:00.000000Z"}
    _foreign(leases, spec)
    leases.clock.seconds += 200
    with pytest.raises(HeldError) as refused:
        Machine(leases).acquire(wait=50)
    assert refused.value.why is not None and "another tool's" in refused.value.why and "argo" in refused.value.why
    state = Machine(leases).look()
    assert state is not None and state.holder is None and state.alive is None
    leases.clock.seconds += 100
    Machine(leases).acquire()


@pytest.mark.parametrize(
    "spec",
    [
        {"holderIdentity": "argo"},
        {"holderIdentity": "argo", "leaseDurationSeconds": 5},
        {"holderIdentity": "argo", "leaseDurationSeconds": 5, "renewTime": "yesterday"},
        {"holderIdentity": "argo", "leaseDurationSeconds": 5, "renewTime": "2026-11-21T07:00:00"},
    ],
)
def test_a_lease_without_an_end_is_freed_by_hand_only(leases: Leases, spec: Any) -> None:
    _foreign(leases, spec)
    leases.clock.seconds += 10**6
    state = Machine(leases).look()
    assert state is not None and math.isinf(state.expires_in) and not state.expired
    with pytest.raises(HeldError) as refused:
        Machine(leases).acquire()
    assert refused.value.why is not None and "never expires" in refused.value.why
    Machine(leases).locks.free("myapp", NAMESPACE, state)
    Machine(leases).acquire()


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": ""}])
def test_an_empty_lease_is_free(leases: Leases, spec: Any) -> None:
    _foreign(leases, spec)
    assert Machine(leases).look() is None
    held = Machine(leases).acquire()
    assert held.taken_over is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"deployment_id": "d-1"}', "[" * 100_000, '"x"', "null"],
)
def test_an_unreadable_holder_is_none(leases: Leases, text: str) -> None:
    Machine(leases).acquire("d-1")
    leases.content[LEASE]["metadata"]["annotations"]["deployer/holder"] = text
    state = Machine(leases).look()
    assert state is not None and state.holder is None
    with pytest.raises(HeldError):
        Machine(leases).acquire("d-2")


def test_a_holder_of_ours_does_not_speak_for_a_tool_that_took_the_lease_since(leases: Leases) -> None:
    Machine(leases).acquire("d-1")
    leases.content[LEASE]["spec"]["holderIdentity"] = "argo"
    state = Machine(leases).look()
    assert state is not None and state.holder is None


def test_all_locks_of_a_namespace(leases: Leases) -> None:
    Machine(leases).acquire("d-1")
    for name, spec in {"deploy-idle": {}, "leader": {"holderIdentity": "x"}}.items():
        leases.content[name] = {"metadata": {"name": name, "uid": name}, "spec": spec}
    found = Machine(leases).locks.all(NAMESPACE)
    assert list(found) == ["myapp"]
    assert found["myapp"] == Machine(leases).look()


def test_a_refused_permission_is_named(leases: Leases) -> None:
    def refuse(request: str) -> None:
        raise NotPermitted("reading Lease/deploy-myapp: we are not allowed to")

    leases.before = refuse
    for attempt in (Machine(leases).acquire, Machine(leases).look):
        with pytest.raises(NotPermitted) as refused:
            attempt()
        assert refused.value.hint is not None
        assert "get, create, update, delete on leases (coordination.k8s.io)" in refused.value.hint


def test_a_cluster_that_refuses_the_lease_is_asked_once(leases: Leases) -> None:
    def refuse(request: str) -> None:
        if request == "create":
            raise ConfigurationError("creating Lease/deploy-myapp: the cluster refuses")

    leases.before = refuse
    with pytest.raises(ConfigurationError):
        Machine(leases).acquire(wait=60)
    assert leases.clock.seconds == 1000


def _break(leases: Leases) -> None:
    leases.before = _break_off


def _break_off(request: str) -> None:
    raise UnreachableError("the cluster does not answer", why="no answer")

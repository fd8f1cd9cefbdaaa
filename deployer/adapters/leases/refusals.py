"""What is said about locks that others hold."""

from __future__ import annotations

from deployer.errors import DeployError, HeldError
from deployer.model import LockState, Target


def held(target: Target, name: str, state: LockState | None, *, waited: float, stopped: bool) -> HeldError:
    """The error of a lock that could not be taken; `waited` is in seconds."""
    why = _description(state) if state else "several others take it in turn"
    if stopped:
        why = f"{why}; waiting for it was stopped"
    elif waited >= 1:
        why = f"{why}; it was waited for {waited:.0f} s"
    return _error(
        f"{name} is locked", target, why, f"wait for it with --lock-wait 10m, or free it with {_unlock(target, name)}"
    )


def lost(target: Target, name: str, state: LockState | None, cause: DeployError | None) -> HeldError:
    """The error of a lock that was ours: it could not be renewed (`cause`), or somebody has freed or taken it."""
    why = "somebody freed it (`deploy unlock`, or its Lease was deleted)"
    if cause is not None:
        why = f"it could not be renewed: {cause}"
    elif state is not None:
        why = _description(state)
    return _error(f"the lock of {name} was lost", target, why, "look who works on it, then run the same command again")


def changed(target: Target, name: str, state: LockState | None) -> HeldError:
    """The error of a lock that is not any more as it was seen."""
    why = _description(state) if state else "nobody holds it any more"
    return _error(f"the lock of {name} has another holder now", target, why, f"look again: {_unlock(target, name)}")


def _description(state: LockState) -> str:
    """Who holds a lock, since when, where, and how long still; of another tool's Lease what it says of its holder."""
    return str(state) if state.holder else f"{state} (its holder calls itself {state.version.partition('/')[2]})"


def _error(what: str, target: Target, why: str, hint: str) -> HeldError:
    return HeldError(what, where=f"{target.stage} {target.region}", why=why, hint=hint)


def _unlock(target: Target, name: str) -> str:
    return f"`deploy unlock {target.stage} {target.region} {target.application or name}`"

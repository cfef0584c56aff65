"""Whether boxes can be made here, for `clearway doctor`: by making one."""

from __future__ import annotations

from msgspec import Struct

from clearway.records.errors import ClearwayError

from .choose import backend
from .run import Limits, Run


class Health(Struct, frozen=True):
    """What was found; `ok` is False when no program can be run apart, and `mend` says the cure."""

    ok: bool
    found: str
    mend: str = ""


def health(name: str = "") -> Health:
    """Makes one box with the backend of that name (as `backend`) and says what held it. Takes some 50 ms."""
    try:
        made = backend(name)
        outcome = made.run(Run(argv=("/bin/true",), limits=Limits(wall_s=20)))
    except ClearwayError as error:
        return Health(False, error.what, error.mend)
    if (outcome.ended, outcome.code) != ("exited", 0):
        return Health(
            False, f"a first box ended otherwise than it should: {outcome.ended} {outcome.why}".strip()
        )
    held = made.enforcement()
    mend = ""
    if held.cgroup == "rlimits":
        mend = (
            "memory and CPU of a whole box are bounded by a control group: run as root, or under systemd with "
            "Delegate=yes, or name a delegated group in CLEARWAY_SANDBOX_CGROUP"
        )
    return Health(True, f"{held.backend}, bounds by {_bounds(held.cgroup)}", mend)


def _bounds(cgroup: str) -> str:
    return "resource limits" if cgroup == "rlimits" else f"control groups {cgroup}"

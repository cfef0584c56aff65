"""What the keys of two findings suggest, from the strongest down. Pure.

    input     the same bytes are the proof of both
    stack     the whole stack of the crash is the same
    crash     the crash state is: error, access, top three frames
    context   class, file, function and code are
    place     product, class and file are

Keys suggest; they prove nothing. Two flaws of one function have one crash state, and one flaw has many: whether two are
one is told by what their patches silence (`silence`), or by a person. The same input alone is taken as the same flaw,
when its proof has fired for both in one crash state.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from clearway.records.errors import VersionUnreadableError
from clearway.versions import compare, scheme_of

from .keys import Key, Kind

Verdict = Literal["same", "likely"]
SCORES: dict[Kind, float] = {"input": 0.99, "stack": 0.9, "crash": 0.8, "context": 0.7, "place": 0.3}
REASONS: dict[Kind, str] = {
    "input": "the same input is the proof of both",
    "stack": "both crash with the same whole stack",
    "crash": "both crash in the same state: error, access and top three frames",
    "context": "both name the same class, file, function and code",
    "place": "both name the same product, class and file",
}


class Relation(Struct, frozen=True, kw_only=True):
    """What is suggested: `same` is taken as it is, `likely` is for a cross-run or a person."""

    verdict: Verdict
    basis: Kind
    score: float  # 0 to 1: how strong a reason, not a probability
    reason: str


class Keyed(Struct, frozen=True, kw_only=True):
    """One finding as the cascade sees it. `fired`: its proof has fired at this desk (E1)."""

    keys: frozenset[Key]
    fired: bool = False


def relate(a: Keyed, b: Keyed) -> Relation | None:
    """The strongest relation that a shared key suggests; None when they share none."""
    shared = {key.kind for key in a.keys & b.keys}
    for kind, score in SCORES.items():
        if kind in shared:
            sure = kind == "input" and "crash" in shared and a.fired and b.fired
            return Relation(
                verdict="same" if sure else "likely",
                basis=kind,
                score=1.0 if sure else score,
                reason=REASONS[kind] + (", and it fired here in one crash state" if sure else ""),
            )
    return None


def returns(ecosystem: str, release: str, fixed: Collection[str]) -> bool:
    """Whether a flaw that fires in `release` has come back: the release is at or past every version that fixed it.

    With fixes on several branches the newest counts, so that an old branch that was never mended is no return. False
    when no fix is known or a version can't be read.
    """
    if not release or not fixed:
        return False
    scheme = scheme_of(ecosystem)
    try:
        return all(compare(scheme, release, version) >= 0 for version in fixed)
    except VersionUnreadableError:
        return False

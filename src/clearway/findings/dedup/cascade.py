"""What the keys of two findings suggest, from the strongest down. Pure.

    input     the same bytes, and no others, are the proof of both
    stack     the whole stack of the crash is the same
    crash     the crash state is: error, access, top three frames
    context   class, file, function and code are
    place     product, class and file are

Keys suggest; they prove nothing. Two flaws of one function have one crash state, and one flaw has many: whether two are
one is told by what their patches silence (`silence`), or by a person. The same input alone is taken as the same flaw,
when its proof has fired for both in one crash state. The first three are of runs under our harness on files that the
desk knows: what a reporter's own program does here is a claim like any other, and makes no key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    """One finding as the cascade sees it. `fired`: its proof has fired at this desk on files that the desk knows."""

    keys: frozenset[Key]
    fired: bool = False


def relate(a: Keyed, b: Keyed) -> Relation | None:
    """The strongest relation that a shared key suggests; None when they share none."""
    shared = {key.kind for key in a.keys & b.keys}
    for kind, score in SCORES.items():
        if kind in shared:
            sure = kind == "input" and bool(proofs(a) & proofs(b))
            return Relation(
                verdict="same" if sure else "likely",
                basis=kind,
                score=1.0 if sure else score,
                reason=REASONS[kind] + (", and it fired here in one crash state" if sure else ""),
            )
    return None


def proofs(finding: Keyed) -> frozenset[tuple[str, str]]:
    """Each input of it with each crash state, where its proof has fired: who shares one is the same flaw."""
    if not finding.fired:
        return frozenset()
    states = [key.value for key in finding.keys if key.kind == "crash"]
    return frozenset((key.value, s) for key in finding.keys if key.kind == "input" for s in states)


def hubs(
    found: Mapping[int, tuple[int, frozenset[tuple[str, str]]]],
) -> frozenset[tuple[int, tuple[str, str]]]:
    """The first finding of each organisation with each proof, by number: (finding, proof).

    Of many that are the same by keys, an edge is kept where one of both is such a one. So a flaw with a thousand
    identical reports has a thousand edges for each organisation, not half a million, and whoever shares it with another
    organisation has an edge to that.
    """
    first: dict[tuple[int, tuple[str, str]], int] = {}
    for number in sorted(found):
        org, all_of_it = found[number]
        for proof in all_of_it:
            first.setdefault((org, proof), number)
    return frozenset((number, proof) for (_, proof), number in first.items())


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

"""From edges to groups: which findings are one flaw. Pure.

An edge says `same`, or keeps two apart (`different`; `contains` does too). Where they disagree, the higher authority
holds: a person, then cross-runs, then keys. Within one, what keeps apart is read first, so that nothing is merged on
the strength of a contradiction. `likely` and `regression` merge nothing: they are to be looked at. Edges are revoked
and never deleted, and groups are made anew from what stands: each merge can be undone, and an undone one leaves no
trace in the groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from msgspec import Struct

Verdict = Literal["same", "different", "contains", "likely", "regression"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Basis = Literal["person", "cross-run", "input", "stack", "crash", "context", "place", "text"]
BASES: tuple[Basis, ...] = get_args(Basis)
_AUTHORITY: dict[str, int] = {"person": 0, "cross-run": 1}
_KEYS = 2


class Tie(Struct, frozen=True, kw_only=True):
    """What one standing edge says of two findings."""

    one: int
    other: int
    verdict: Verdict
    basis: Basis


def groups(findings: Iterable[int], ties: Iterable[Tie]) -> list[tuple[int, ...]]:
    """The groups, each sorted, in the order of their first finding; a finding without a tie is alone.

    The same whatever the order of the ties.
    """
    joined = _Joined(findings)
    by_authority: dict[int, list[Tie]] = {}
    for tie in ties:
        if tie.one in joined.parent and tie.other in joined.parent and tie.one != tie.other:
            by_authority.setdefault(_AUTHORITY.get(tie.basis, _KEYS), []).append(tie)
    for _, said in sorted(by_authority.items()):
        for tie in said:
            if tie.verdict in ("different", "contains"):
                joined.keep_apart(tie.one, tie.other)
        for tie in sorted(said, key=lambda t: (min(t.one, t.other), max(t.one, t.other))):
            if tie.verdict == "same":
                joined.join(tie.one, tie.other)
    return joined.groups()


class _Joined:
    """Union-find with pairs of sets that may not become one."""

    def __init__(self, findings: Iterable[int]) -> None:
        self.parent = {f: f for f in findings}
        self._apart: dict[int, set[int]] = {f: set() for f in self.parent}  # roots, by root

    def root(self, finding: int) -> int:
        while self.parent[finding] != finding:
            self.parent[finding] = self.parent[self.parent[finding]]
            finding = self.parent[finding]
        return finding

    def keep_apart(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        if a != b:  # a higher authority has joined them
            self._apart[a].add(b)
            self._apart[b].add(a)

    def join(self, one: int, other: int) -> None:
        a, b = sorted((self.root(one), self.root(other)))
        if a == b or b in self._apart[a]:
            return
        self.parent[b] = a
        for third in self._apart.pop(b):
            self._apart[third].discard(b)
            self._apart[third].add(a)
            self._apart[a].add(third)

    def groups(self) -> list[tuple[int, ...]]:
        found: dict[int, list[int]] = {}
        for finding in sorted(self.parent):
            found.setdefault(self.root(finding), []).append(finding)
        return [tuple(group) for group in found.values()]

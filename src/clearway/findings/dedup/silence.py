"""What patches and proofs prove of each other: the cross-run. Pure but for the function that runs them.

Each finding has a row: which patches silence its proof. Patches count that break no test (E3).

    equal rows, and a patch silences both       one flaw
    one row lies within the other               the finding with the smaller row is silenced by less: it *contains* the
                                                other, whose fix leaves it; never merged by itself
    each is silenced where the other is not     two flaws
    no patch silences both, or not known        nothing is said

For two findings with a patch each this is "mutual silencing is the same flaw", where the two are two patches: what one
fix, or releases, are worth is `fixes`' to say, and `likely` is its word. With more patches, one that is too broad
(it silences two flaws at once) merges nothing as long as any other tells the two apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

Verdict = Literal["same", "contains", "contained", "different", "likely"]
Silences = Callable[[str, str], bool | None]  # (patch, proof): None when nothing can be said
Row = Mapping[str, bool | None]


class Crossed(Struct, frozen=True, kw_only=True):
    """What the rows of two findings say, with the patches that silence both and those that tell them apart."""

    verdict: Verdict
    both: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    words: str = ""  # why it is worth more or less than the rows say (`fixes.weighed`)

    @property
    def reason(self) -> str:
        """In words, for a person; patches by their number alone."""
        if self.words:
            return self.words
        both, apart = len(self.both), len(self.apart)
        if self.verdict == "same":
            return (
                f"{_patches(both)} silence{'s' if both == 1 else ''} both proofs, and none tells them apart"
            )
        if self.verdict == "different":
            return f"each falls silent where the other still fires ({_patches(apart)})"
        return (
            f"{_patches(both)} silence{'s' if both == 1 else ''} both, {_patches(apart)} only one of the two"
        )


def cross(a: Row, b: Row) -> Crossed | None:
    """What two rows say; from the first one's side: `contains` when `a` contains `b`. None when it is too little."""
    known = [p for p in sorted(a.keys() & b.keys()) if a[p] is not None and b[p] is not None]
    both = tuple(p for p in known if a[p] and b[p])
    only_a = [p for p in known if a[p] and not b[p]]
    only_b = [p for p in known if b[p] and not a[p]]
    if only_a and only_b:
        return Crossed(verdict="different", both=both, apart=tuple(only_a + only_b))
    if not both:
        return None
    if only_b:
        return Crossed(verdict="contains", both=both, apart=tuple(only_b))
    if only_a:
        return Crossed(verdict="contained", both=both, apart=tuple(only_a))
    return Crossed(verdict="same", both=both)


class Survey(Struct, frozen=True, kw_only=True):
    """The row of each proof, as far as it was needed, and how many runs that took."""

    rows: dict[str, dict[str, bool | None]]
    runs: int
    leaders: dict[str, str]  # of each proof: the one whose row it shares, itself for one that was run in full

    def groups(self) -> list[list[str]]:
        """The proofs of one flaw each; one that no patch silences is alone. In order of the first of each."""
        found: dict[Hashable, list[str]] = defaultdict(list)
        for proof, row in self.rows.items():
            silenced = frozenset(patch for patch, quiet in row.items() if quiet)
            found[silenced or proof].append(proof)
        return list(found.values())


def survey(
    proofs: Mapping[str, str],
    patches: Sequence[str],
    silences: Silences,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Survey:
    """Cross-runs proofs and patches with as few runs as the answer needs.

    1. The first proof is run against every patch: its row. It leads.
    2. Each other one is run against the patches that silence a leader, the narrowest first; leaders of its own crash
       state (`proofs` gives its key; "" for none) come before others. Silent on all of them: it has that leader's row.
    3. Where a leader is silenced by one patch alone, or by none that silences fewer than two leaders, that would be too
       little: a broad patch silences the proof of another flaw as well. Then it is run against every patch.
    4. Who follows nobody is run in full and leads.

    So two flaws are told apart wherever one of them has two patches, and not both are too broad for the same two.
    """
    answers: dict[tuple[str, str], bool | None] = {}

    def ask(patch: str, proof: str) -> bool | None:
        if (patch, proof) not in answers:
            answers[patch, proof] = silences(patch, proof)
        return answers[patch, proof]

    rows: dict[str, dict[str, bool | None]] = {}
    leaders: dict[str, str] = {}
    breadth: dict[str, int] = defaultdict(int)
    heads: dict[frozenset[str], str] = {}  # the first leader of each row
    of_state: dict[str, list[str]] = defaultdict(list)  # leaders that proofs of a crash state had
    for done, (proof, state) in enumerate(proofs.items()):
        near = of_state[state] if state else []
        for head in (*near, *(h for h in heads.values() if h not in near)):
            if _follows(proof, rows[head], breadth, ask):
                rows[proof], leaders[proof] = dict(rows[head]), head
                break
        else:
            rows[proof] = {patch: ask(patch, proof) for patch in patches}
            silenced = frozenset(patch for patch, quiet in rows[proof].items() if quiet)
            leaders[proof] = heads.setdefault(silenced, proof) if silenced else proof
            if leaders[proof] == proof:
                for patch in silenced:
                    breadth[patch] += 1
        if leaders[proof] not in near:
            of_state[state].append(leaders[proof])
        progress(done + 1, len(proofs))
    return Survey(rows=rows, runs=len(answers), leaders=leaders)


def _follows(
    proof: str,
    row: Row,
    breadth: Mapping[str, int],
    ask: Silences,
) -> bool:
    """Whether a few runs show that `proof` has this row."""
    silent = sorted((p for p, quiet in row.items() if quiet), key=lambda p: (breadth[p], p))
    if not silent or not all(ask(patch, proof) for patch in silent):
        return False
    enough = len(silent) > 1 and breadth[silent[0]] == 1
    return enough or all(ask(patch, proof) == quiet for patch, quiet in row.items())


def _patches(count: int) -> str:
    return "one patch" if count == 1 else f"{count} patches"

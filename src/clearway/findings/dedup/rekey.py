"""A finding's keys made from its facts and its evidence, and what they suggest kept as edges. As the owner.

A replay: whatever was there before, after it the keys of the present rules are those that follow from what is kept,
and so are the edges that rest on keys. Keys of older rules stay beside them; what persons and cross-runs said is not
touched, but for runs that an older rule has weighed: they are to be looked at until they have been run again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.records.errors import ClearwayError
from clearway.store.scalar import scalar

from .. import artefact, kept
from ..validate.crash import CrashState, state_of
from ..validate.recipe import Command, read
from . import crossing, edge, flaw
from .cascade import Keyed, Relation, hubs, proofs, relate, returns
from .keys import CROSS, RULES, SMALLEST_INPUT, VERSIONS, Facts, Input, Key, input_of, keys_of
from .public import BOUNDS
from .returned import standing

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding
    from ..validate.recipe import Proof
    from ..vault import Vault

    Connection = psycopg.Connection[Any]

LEAST = 0.5  # a weaker reason is shown when somebody asks, and kept as no edge
MOST_OTHERS = 200  # findings with one key that are compared, the oldest first
_DOUBT = "whether what was fixed has come back can't be told from its record"
_KEY_BASES = ["input", "stack", "crash", "context", "place"]


# What speaks of a finding besides its facts, as a number that grows with each change of it.
_JUDGED = """select v.finding, sum(v.version) as n from clearway.validation v where v.state = 'done' and {}
    group by v.finding"""
_SAID = """select k.finding, count(*) + count(k.revoked) as n from clearway.finding_known k where {}
    group by k.finding"""


def stale(owner: Connection, most: int = 200) -> list[int]:
    """Findings whose keys are not made, or were made by other rules, facts or evidence, or before it was said which
    public flaw they are; oldest first."""
    rows = owner.execute(
        f"""select f.finding from clearway.finding f left join clearway.finding_keyed d on d.finding = f.finding
        left join ({_JUDGED.format("true")}) v on v.finding = f.finding
        left join ({_SAID.format("true")}) k on k.finding = f.finding
        where d.finding is null or d.rules <> %s or d.facts <> f.version
            or d.evidence <> coalesce(v.n, 0) + coalesce(k.n, 0)
        order by f.finding limit %s""",  # noqa: S608 - of constants
        (RULES, most),
    )
    return [number for (number,) in rows]


def _evidence(owner: Connection, finding: int) -> int:
    return scalar(
        owner,
        f"""select coalesce(sum(n), 0)::bigint from (
            ({_JUDGED.format("v.finding = %(of)s")}) union all ({_SAID.format("k.finding = %(of)s")})) s""",  # noqa: S608
        {"of": finding},
    )


def rekey(owner: Connection, vault: Vault, number: int) -> tuple[Finding, list[tuple[int, int]]]:
    """Makes the keys of one finding anew, and the edges that follow; the pairs that wait for a cross-run."""
    flaw.hold(owner)  # one at a time: two who compare the same findings would lock them in two orders
    finding = kept.by_id(owner, number)
    # Counted before it is read: what is added meanwhile makes the keys stale again.
    counted = _evidence(owner, number)
    keys = keys_of(_facts(finding), *_shown(owner, vault, finding))
    owner.execute(
        "delete from clearway.finding_key where finding = %s and version = any(%s)",
        (finding.id, list(VERSIONS.values())),
    )
    owner.cursor().executemany(
        "insert into clearway.finding_key (finding, org, aud, kind, version, value) values (%s, %s, %s, %s, %s, %s)",
        [(finding.id, finding.org, finding.aud, k.kind, k.version, k.value) for k in keys],
    )
    suggested = _suggested(owner, finding, frozenset(keys))
    older = _weighed_before(owner, finding)
    with flaw.settling(owner):
        _run_again(owner, finding, older)
        _drop(owner, finding, suggested)
        for verdict, relation, one, two in suggested.values():
            edge.add(owner, one, two, verdict, relation.basis, score=relation.score, reason=relation.reason)
    owner.execute(
        """insert into clearway.finding_keyed (finding, rules, facts, evidence) values (%s, %s, %s, %s)
        on conflict (finding) do update set rules = excluded.rules, facts = excluded.facts,
            evidence = excluded.evidence, at = clock_timestamp()""",
        (finding.id, RULES, finding.version, counted),
    )
    return finding, crossing.due(owner, [finding.id])


def alike(db: Connection, finding: Finding, most: int = 50) -> list[tuple[int, Relation]]:
    """Other findings that share a key with this one, as far as the caller may see; the strongest reason first."""
    mine = _keys(db, [finding.id]).get(finding.id, frozenset())
    others = _sharing(db, finding, mine)
    found = [
        (number, relation)
        for number, keys in _keys(db, others).items()
        if (relation := relate(Keyed(keys=mine), Keyed(keys=keys))) is not None
    ]
    return sorted(found, key=lambda f: (-f[1].score, f[0]))[:most]


class _Other(Struct, frozen=True):
    number: int
    org: int
    ecosystem: str
    release: str


Suggested = tuple[Any, Relation, int, int]  # verdict, why, and the two in the edge's direction


def _suggested(owner: Connection, finding: Finding, keys: frozenset[Key]) -> dict[int, Suggested]:
    # With those that it is joined to by keys, so that none is let go because there are too many to look at.
    numbers = dict.fromkeys([*_sharing(owner, finding, keys), *_joined(owner, finding)])
    theirs, fired = _keys(owner, list(numbers)), _fired(owner, [finding.id, *numbers])
    mine = Keyed(keys=keys, fired=finding.id in fired)
    others = _others(owner, list(numbers))
    seen = {n: Keyed(keys=theirs.get(n, frozenset()), fired=n in fired) for n in others}
    shown = {n: (others[n].org, proofs(k)) for n, k in seen.items()} | {
        finding.id: (finding.org, proofs(mine))
    }
    first = hubs(shown)
    me = _Other(finding.id, finding.org, finding.ecosystem, finding.release)
    found: dict[int, Suggested] = {}
    for number, other in others.items():
        relation = relate(mine, seen[number])
        if relation is None or relation.score < LEAST:
            continue
        older, newer = (other, me) if number < finding.id else (me, other)
        back = _returned(owner, newer, older.number) if newer.number in fired else False
        if back:
            found[number] = ("regression", relation, newer.number, older.number)
        elif back is None and relation.verdict == "same":
            doubt = replace(relation, verdict="likely", reason=f"{relation.reason}; {_DOUBT}")
            found[number] = ("likely", doubt, finding.id, number)
        elif relation.verdict != "same" or any(
            (n, proof) in first for proof in proofs(mine) & proofs(seen[number]) for n in (finding.id, number)
        ):
            found[number] = (relation.verdict, relation, finding.id, number)
    return found


def _drop(owner: Connection, finding: Finding, suggested: dict[int, Suggested]) -> None:
    """Revokes what the keys said before and say no longer."""
    standing = owner.execute(
        """select edge, case when one = %(of)s then other else one end, verdict, basis from clearway.finding_edge
        where %(of)s in (one, other) and revoked is null and basis = any(%(bases)s)""",
        {"of": finding.id, "bases": _KEY_BASES},
    ).fetchall()
    for number, other, verdict, basis in standing:
        now = suggested.get(other)
        if now is None or (now[0], now[1].basis) != (verdict, basis):
            owner.execute(
                "select clearway.revoke_finding_edge(%s, %s)", (number, "it no longer follows from the keys")
            )


def _weighed_before(owner: Connection, finding: Finding) -> list[tuple[int, int, str]]:
    """Cross-runs with later findings that an older rule took for the same flaw: edge, other, reason. A pair is the
    earlier finding's to look at, so that it is done once."""
    return owner.execute(
        """select e.edge, e.other, e.reason from clearway.finding_edge e where e.one = %s and e.revoked is null
            and e.basis = 'cross-run' and (e.verdict = 'same' or (e.verdict = 'likely' and e.score > 0.9))
            and not exists (select from clearway.finding_crossed c
                where (c.one, c.other) = (e.one, e.other) and c.rule = %s)""",
        (finding.id, CROSS),
    ).fetchall()


def _run_again(owner: Connection, finding: Finding, older: list[tuple[int, int, str]]) -> None:
    """Joins nobody by these runs until they have been run again, and starts that."""
    from . import at_desk  # with the sandbox: for this alone

    for number, other, reason in older:
        owner.execute("select clearway.revoke_finding_edge(%s, %s)", (number, edge.OLDER))
        edge.add(
            owner, finding.id, other, "likely", "cross-run",
            score=edge.CROSSED["likely"], reason=f"{reason[:1900]}; {edge.OLDER}: {edge.AGAIN}",
        )  # fmt: skip
        at_desk.start(owner, finding.id, other)


def _facts(finding: Finding) -> Facts:
    return Facts(
        ecosystem=finding.ecosystem, package=finding.package, purl=finding.purl, place=finding.place,
        cwe=finding.cwe,
    )  # fmt: skip


def _shown(owner: Connection, vault: Vault, finding: Finding) -> tuple[list[CrashState], list[Input]]:
    """The crash states and the inputs of its proofs that fired under our harness on files that the desk knows.

    A state is what a sanitizer reported to the desk, as the verdict was read from: what a program printed is no part of
    it. An input is what the recipe that was judged gives to the proof: what else was sent beside it is none.
    """
    rows = owner.execute(
        """select log, reported, recipe from clearway.validation
        where finding = %s and state = 'done' and level >= 1 and uncapped and revoked is null
        order by validation desc limit 20""",
        (finding.id,),
    ).fetchall()
    states, inputs = [], []
    for log, reported, recipe in rows:
        with suppress(
            ClearwayError
        ):  # its key is in another home, or it was taken away: its other keys stand
            if log is not None and reported:
                said = artefact.read(owner, vault, artefact.one(owner, log), logged=False)
                states.append(state_of(said[:reported]))
        with suppress(ClearwayError):
            if recipe:
                raw = artefact.read(owner, vault, artefact.by_sha256(owner, finding.id, recipe), logged=False)
                inputs.append(input_of(_given(owner, finding, read(raw).proof)))
    return [s for s in states if s is not None], [i for i in inputs if i is not None]


def _given(owner: Connection, finding: Finding, proof: Proof) -> list[Input]:
    digests = {*proof.files.values()}
    if isinstance(proof, Command) and proof.stdin:
        digests.add(proof.stdin)
    sizes = {a.sha256: a.bytes for a in artefact.listed(owner, finding.id)}
    return [Input(digest, sizes.get(digest, SMALLEST_INPUT)) for digest in digests]


def _sharing(db: Connection, finding: Finding, keys: frozenset[Key]) -> list[int]:
    """Findings of the same kind (real or trial) with one of these keys, the strongest keys first."""
    rows = db.execute(
        """select k.finding, min(array_position(%(kinds)s::text[], k.kind)) from clearway.finding_key k
        join clearway.finding f on f.finding = k.finding
        where k.value = any(%(values)s) and k.finding <> %(of)s and f.live = %(live)s and f.state <> 'withdrawn'
        group by k.finding order by 2, 1 limit %(most)s""",
        {
            "kinds": _KEY_BASES, "values": [k.value for k in keys], "of": finding.id, "live": finding.live,
            "most": MOST_OTHERS,
        },
    )  # fmt: skip
    return [row[0] for row in rows]


def _keys(db: Connection, findings: list[int]) -> dict[int, frozenset[Key]]:
    found: dict[int, set[Key]] = {}
    for number, kind, version, value in db.execute(
        "select finding, kind, version, value from clearway.finding_key where finding = any(%s) and version = any(%s)",
        (findings, list(VERSIONS.values())),
    ):
        found.setdefault(number, set()).add(Key(kind, version, value))
    return {number: frozenset(keys) for number, keys in found.items()}


def _returned(owner: Connection, newer: _Other, older: int) -> bool | None:
    """Whether a finding is the return of what an older one was said to be; None where its record can't tell."""
    rows = owner.execute(
        """select fixed, affected::text from clearway.finding_known
        where finding = %s and verdict = 'is' and revoked is null order by known""",
        (older,),
    ).fetchall()
    fixed = [version for fixes, said in rows if said == "[]" for version in fixes]
    said = [standing(newer.ecosystem, newer.release, BOUNDS.decode(s)) for _, s in rows if s != "[]"]
    if fixed:
        said.append("returns" if returns(newer.ecosystem, newer.release, fixed) else "before")
    if "unknown" in said and "affected" not in said:
        return None
    return bool(said) and all(one == "returns" for one in said)


def _others(owner: Connection, findings: list[int]) -> dict[int, _Other]:
    rows = owner.execute(
        """select finding, org, ecosystem, release from clearway.finding
        where finding = any(%s) and state <> 'withdrawn'""",
        (findings,),
    )
    return {row[0]: _Other(*row) for row in rows}


def _joined(owner: Connection, finding: Finding) -> list[int]:
    """Those that its keys have joined it to."""
    rows = owner.execute(
        """select case when one = %(of)s then other else one end from clearway.finding_edge
        where %(of)s in (one, other) and revoked is null and basis = any(%(bases)s)""",
        {"of": finding.id, "bases": _KEY_BASES},
    )
    return [number for (number,) in rows]


def _fired(owner: Connection, findings: list[int]) -> frozenset[int]:
    """Of these, whose proof has fired under our harness on files that the desk knows."""
    rows = owner.execute(
        """select distinct finding from clearway.validation
        where finding = any(%s) and state = 'done' and level >= 1 and uncapped and revoked is null""",
        (findings,),
    )
    return frozenset(number for (number,) in rows)

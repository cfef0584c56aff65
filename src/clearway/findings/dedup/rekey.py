"""A finding's keys made from its facts and its evidence, and what they suggest kept as edges. As the owner.

A replay: whatever was there before, after it the keys of the present rules are those that follow from what is kept,
and so are the edges that rest on keys. Keys of older rules stay beside them; what persons and cross-runs said is not
touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import ClearwayError

from .. import artefact, kept
from ..validate.crash import CrashState, state_of
from . import edge
from .cascade import Keyed, Relation, relate, returns
from .keys import RULES, VERSIONS, Facts, Input, Key, keys_of

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding
    from ..vault import Vault

    Connection = psycopg.Connection[Any]

LEAST = 0.5  # a weaker reason is shown when somebody asks, and kept as no edge
MOST_OTHERS = 200  # findings with one key that are compared, the oldest first
_KEY_BASES = ["input", "stack", "crash", "context", "place"]


def stale(owner: Connection, most: int = 200) -> list[int]:
    """Findings whose keys are not made, or were made by other rules or from other facts; oldest first."""
    rows = owner.execute(
        """select f.finding from clearway.finding f left join clearway.finding_keyed k on k.finding = f.finding
        where k.finding is null or k.rules <> %s or k.facts <> f.version order by f.finding limit %s""",
        (RULES, most),
    )
    return [number for (number,) in rows]


def rekey(owner: Connection, vault: Vault, number: int) -> tuple[Finding, list[int]]:
    """Makes the keys of one finding anew, and the edges that follow; the findings that wait for a cross-run with it."""
    # One at a time: two who compare the same findings would lock them in two orders.
    owner.execute("select pg_advisory_xact_lock(hashtextextended('clearway rekey', 0))")
    finding = kept.by_id(owner, number)
    keys = keys_of(_facts(finding), _states(owner, vault, finding), _inputs(owner, finding))
    owner.execute(
        "delete from clearway.finding_key where finding = %s and version = any(%s)",
        (finding.id, list(VERSIONS.values())),
    )
    owner.cursor().executemany(
        "insert into clearway.finding_key (finding, org, aud, kind, version, value) values (%s, %s, %s, %s, %s, %s)",
        [(finding.id, finding.org, finding.aud, k.kind, k.version, k.value) for k in keys],
    )
    suggested = _suggested(owner, finding, frozenset(keys))
    _drop(owner, finding, suggested)
    waiting = []
    for other, (verdict, relation, one, two) in suggested.items():
        edge.add(owner, one, two, verdict, relation.basis, score=relation.score, reason=relation.reason)
        if verdict == "likely" and not _crossed(owner, finding.id, other):
            waiting.append(other)
    owner.execute(
        """insert into clearway.finding_keyed (finding, rules, facts) values (%s, %s, %s)
        on conflict (finding) do update set rules = excluded.rules, facts = excluded.facts, at = clock_timestamp()""",
        (finding.id, RULES, finding.version),
    )
    return finding, waiting


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


Suggested = tuple[Any, Relation, int, int]  # verdict, why, and the two in the edge's direction


def _suggested(owner: Connection, finding: Finding, keys: frozenset[Key]) -> dict[int, Suggested]:
    numbers = _sharing(owner, finding, keys)
    theirs = _keys(owner, numbers)
    mine = Keyed(keys=keys, fired=finding.level >= 1)
    found: dict[int, Suggested] = {}
    for number in numbers:
        other = kept.by_id(owner, number)
        relation = relate(mine, Keyed(keys=theirs.get(number, frozenset()), fired=other.level >= 1))
        if relation is None or relation.score < LEAST:
            continue
        older, newer = (other, finding) if other.id < finding.id else (finding, other)
        if newer.level >= 1 and returns(newer.ecosystem, newer.release, _fixes(owner, older.id)):
            found[number] = ("regression", relation, newer.id, older.id)
        else:
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


def _facts(finding: Finding) -> Facts:
    return Facts(
        ecosystem=finding.ecosystem, package=finding.package, purl=finding.purl, place=finding.place,
        cwe=finding.cwe,
    )  # fmt: skip


def _states(owner: Connection, vault: Vault, finding: Finding) -> list[CrashState]:
    """The crash states of its validations that fired, read anew from what the first run wrote."""
    rows = owner.execute(
        """select log from clearway.validation where finding = %s and state = 'done' and level >= 1
            and log is not null order by validation""",
        (finding.id,),
    ).fetchall()
    found = []
    for (number,) in rows[-20:]:
        try:
            data = artefact.read(owner, vault, artefact.one(owner, number), logged=False)
        except ClearwayError:
            continue  # its key is in another home: its other keys stand
        state = state_of(data)
        if state is not None:
            found.append(state)
    return found


def _inputs(owner: Connection, finding: Finding) -> list[Input]:
    return [Input(file.sha256, file.bytes) for file in artefact.listed(owner, finding.id, "input")]


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


def _fixes(owner: Connection, finding: int) -> list[str]:
    rows = owner.execute(
        """select unnest(fixed) from clearway.finding_known
        where finding = %s and verdict = 'is' and revoked is null""",
        (finding,),
    )
    return [version for (version,) in rows]


def _crossed(owner: Connection, one: int, other: int) -> bool:
    """Whether somebody who knows better than a key has spoken."""
    row = owner.execute(
        """select 1 from clearway.finding_edge where revoked is null and basis in ('person', 'cross-run')
            and one = any(%s) and other = any(%s)""",
        ([one, other], [one, other]),
    ).fetchone()
    return row is not None

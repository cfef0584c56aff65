"""Rules: decisions that are made by what an exposure is, for those that stand and those to come."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from clearway.access import audience, marking
from clearway.records.errors import ConflictError, InputError, NotFoundError

from . import called, flawview, listing, product, status
from .acts import record
from .wanted import STATUSES, Filter, conditions, joins

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from clearway.advisories.table import Table

MOST = 1_000  # rules of one organisation


class Match(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a rule is about: everything given must hold. A name that ends with `*` is a beginning.

    One of `name`, `flaw` and `asset_name` must be given: a rule that closes everything is no rule.
    """

    ecosystem: str = ""
    name: str = ""
    flaw: str = ""
    asset_name: str = ""
    environment: str = ""
    exposure: str = ""
    kind: str = ""
    severity: str = ""

    def __post_init__(self) -> None:
        if not (self.name.rstrip("*") or self.flaw or self.asset_name.rstrip("*")):
            raise InputError(
                "a rule about everything", mend="give a component's name, a flaw, or an asset's name"
            )

    def as_filter(self, org: int) -> Filter:
        """The exposures that it is about, of those that are open."""
        facets = {"ecosystem": self.ecosystem, "environment": self.environment, "exposure": self.exposure,
                  "kind": self.kind, "severity": self.severity}  # fmt: skip
        return Filter(
            org=org,
            name=self.name,
            flaw=self.flaw,
            asset_name=self.asset_name,
            yes={"status": ("open",), **{k: (v,) for k, v in facets.items() if v}},
        )


class Rule(Struct, frozen=True, kw_only=True):
    """One rule, and when it ends."""

    rule: int
    org: int
    name: str
    matches: Match
    said: status.Decision
    until: date | None
    person: int
    created: Any
    ended: Any
    version: int


def meant(db: psycopg.Connection[Any], table: Table | None, matches: Match) -> Match:
    """The same, its flaw by the present preferred id, and the one asset that its name means by what that is called.

    Raises InputError as `flawview.meant`.
    """
    if matches.asset_name and not matches.asset_name.endswith("*"):
        names = {found.name for found in called.meant(db, matches.asset_name)}
        if len(names) == 1:
            matches = msgspec.structs.replace(matches, asset_name=names.pop())
    if not matches.flaw:
        return matches
    return msgspec.structs.replace(matches, flaw=flawview.meant(db, table, matches.flaw))


def dry_run(db: psycopg.Connection[Any], org: int, matches: Match) -> listing.Counts:
    """How many open exposures a rule would decide now."""
    return listing.counts(db, matches.as_filter(org), ("environment", "severity", "ecosystem"))


def question(matches: Match) -> str:
    """What it is about, as a query string: for the log of what is read."""
    return urlencode({name: value for name, value in msgspec.structs.asdict(matches).items() if value})


def add(
    db: psycopg.Connection[Any],
    org: int,
    name: str,
    matches: Match,
    said: status.Decision,
    *,
    expected: int,
    until: date | None = None,
) -> tuple[int, tuple[int, ...]]:
    """Adds a rule and does what it says to what is open; returns its number and the exposures that changed.

    The rule ends after `until`; one that accepts or mitigates ends with what it says, and with nothing else.

    Raises:
        InputError: it ends on another day than what it says, or says what no rule can know (open, fixed).
        ConflictError: it would decide another number than was `expected` from the dry run.
        ConflictError: the organisation has too many rules.
        ForbiddenError: the caller may not operate for it.
    """
    if said.status in ("open", "fixed"):
        raise InputError(
            f"a rule can't say {said.status}",
            where="status",
            mend="not_affected, accepted or mitigated: fixed is what somebody has seen of each"
            if said.status == "fixed"
            else "not_affected, accepted or mitigated: what no rule decides is open",
        )
    if until is not None and until != said.until and said.status in ("accepted", "mitigated"):
        raise InputError(
            "ends on another day than what it says",
            where="until",
            mend="leave it out, and say there until when",
        )
    row = db.execute(
        "select count(*) from clearway.fleet_rule where org = %s and ended is null", (org,)
    ).fetchone()
    if row is not None and row[0] >= MOST:
        raise ConflictError(f"{MOST:,} rules stand already", mend="end some")
    aud = audience.of(db, marking.own(org))
    made = db.execute(
        """insert into clearway.fleet_rule (org, aud, name, matches, status, justification, detail, until, person)
        values (%s, %s, %s, %s::jsonb, %s, %s, %s, %s, clearway.actor()) returning rule""",
        (org, aud, name, msgspec.json.encode(matches).decode(), STATUSES.index(said.status), said.justification,
         said.detail, said.until or until),
    ).fetchone()  # fmt: skip
    assert made is not None
    found = listing.ids(db, matches.as_filter(org), status.MOST + 1)
    if len(found) != expected:
        raise ConflictError(
            f"it is {len(found):,} exposures now, not {expected:,}",
            where="expected",
            mend="look again, then repeat",
        )
    changed = status.decide(db, found, said, rule=made[0])
    record(
        db, "rule.added", f"rule/{made[0]}",
        {"name": name, "matches": msgspec.to_builtins(matches), "status": said.status, "count": len(changed)},
        org=org, aud=aud, more=_words(said, until),
    )  # fmt: skip
    return made[0], changed


def _words(said: status.Decision, until: date | None) -> dict[str, object]:
    ends = said.until or until
    words = {
        "justification": said.justification,
        "detail": said.detail,
        "until": ends,
        "any_version": said.any_version,
    }
    return {name: value for name, value in words.items() if value}


def end(db: psycopg.Connection[Any], rule: int, version: int) -> None:
    """Ends a rule; what it decided stands.

    Raises:
        NotFoundError: there is none, or it may not be seen.
        ConflictError: it has ended, or changed since it was read.
    """
    found = one(db, rule)
    done = db.execute(
        """update clearway.fleet_rule set ended = clearway.fleet_now(), version = version + 1
        where rule = %s and version = %s and ended is null returning aud""",
        (rule, version),
    ).fetchone()
    if done is None:
        raise ConflictError("the rule has changed or ended", where=f"rule/{rule}", mend="read it again")
    record(db, "rule.ended", f"rule/{rule}", {"name": found.name}, org=found.org, aud=done[0])


_SELECT = """select rule, org, name, matches::text, status, justification, detail, until, person, created, ended,
    version from clearway.fleet_rule"""


def one(db: psycopg.Connection[Any], rule: int) -> Rule:
    """One rule. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where rule = %s", (rule,)).fetchone()
    if row is None:
        raise NotFoundError("no such rule", where=f"rule/{rule}")
    return _rule(row)


def every(db: psycopg.Connection[Any], orgs: Sequence[int] | None = None) -> tuple[Rule, ...]:
    """The rules that stand, of these organisations or of all that the reader sees."""
    rows = db.execute(
        f"{_SELECT} where ended is null and (%s::int[] is null or org = any(%s)) order by org, rule",
        (None if orgs is None else list(orgs),) * 2,
    )
    return tuple(_rule(row) for row in rows)


def _rule(row: tuple[Any, ...]) -> Rule:
    rule, org, name, matches, code, justification, detail, until, person, created, ended, version = row
    return Rule(
        rule=rule,
        org=org,
        name=name,
        matches=msgspec.json.decode(matches, type=Match),
        said=status.Decision(
            status=STATUSES[code],
            justification=justification,
            detail=detail,
            until=until if STATUSES[code] in ("accepted", "mitigated") else None,
        ),
        until=until,
        person=person,
        created=created,
        ended=ended,
        version=version,
    )


def apply_to(db: psycopg.Connection[Any], exposures: Sequence[int], orgs: Sequence[int] | None = None) -> int:
    """Lets the standing rules decide new exposures; returns how many they did. The oldest rule that fits decides.

    `orgs` are the organisations of these exposures, where the caller knows them.
    """
    if orgs is None:
        rows = db.execute(
            "select distinct org from clearway.exposure where exposure = any(%s)", (list(exposures),)
        )
        orgs = [r[0] for r in rows]
    return decided_by(db, exposures, every(db, orgs))


def decided_by(db: psycopg.Connection[Any], exposures: Sequence[int], rules: Iterable[Rule]) -> int:
    """As `apply_to`, with the rules at hand."""
    decided = 0
    for rule in rules:
        found = conditions(product.meant(db, rule.matches.as_filter(rule.org)))
        hits = db.execute(
            f"select e.exposure from clearway.exposure e {joins(found.joins)} "  # noqa: S608
            f"where e.exposure = any(%(new)s) and {found.text}",
            {**found.values, "new": list(exposures)},
        ).fetchall()
        decided += len(status.decide(db, [h[0] for h in hits], rule.said, rule=rule.rule))
    return decided

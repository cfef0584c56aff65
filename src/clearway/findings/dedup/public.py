"""Whether a finding is public already: "this is CVE-…, fixed in 1.2.3". Public records suggest; a person says it.

What the compiled table knows of the product is ordered by what speaks for each flaw (class, place, and the text hint);
said by a coordinator it is kept with its reason, and revoked like an edge. A finding that fires in a release which its
record calls fixed is no duplicate: the flaw has come back, or the fix does not hold.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from clearway import ledger
from clearway.exposure.judge import claims
from clearway.formats.reported_parts import identified
from clearway.records.errors import InputError, NotFoundError
from clearway.store import events
from clearway.store.scalar import scalar

from .. import kept
from ..intake import public
from ..intake.public import Known, Question
from . import flaw_id, returned
from .cascade import returns
from .hint import records
from .hint.compare import Company, Described, Told
from .hint.mix import score
from .returned import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from clearway.advisories.table import Claim, Table

    from ..intake.public import Fetch
    from ..kept import Finding
    from .hint.learnt import Learnt

    Connection = psycopg.Connection[Any]

Verdict = Literal["is", "likely", "returns"]
BOUNDS = msgspec.json.Decoder(tuple[Bounds, ...])
_FIXES = 20  # of one statement
_SCORED = 200  # records of one product that the hint compares


class Suggestion(Struct, frozen=True, kw_only=True):
    """One public flaw of the product. `hint` null: nothing was learnt yet, or no record has a text."""

    flaw: str
    title: str
    release: str  # how the finding's release stands with it
    fixed: tuple[str, ...]
    same_class: bool | None
    same_place: bool | None
    hint: float | None
    returns: bool | None  # it fires here in a release past what is affected; null: that can't be told


class Statement(Struct, frozen=True, kw_only=True):
    """What was said: this finding *is* that flaw, or its return. `id` is told to the desk alone."""

    id: int | None
    flaw: str
    verdict: Verdict
    fixed: tuple[str, ...]
    reason: str
    at: datetime
    revoked: datetime | None
    revoked_why: str
    returns: bool | None = False  # null: it fires, and whether it has come back can't be told
    affected: tuple[Bounds, ...] = ()  # what the record says of the product


def suggest(
    table: Table, finding: Finding, fetch: Fetch, learnt: Learnt | None, text: str = "", most: int = 10
) -> tuple[Suggestion, ...]:
    """Public flaws of its product, the likeliest first; () when no product is named. `text` is what it says of itself.

    Nothing marked is looked at: `fetch` gives public records alone.
    """
    if not finding.package and not finding.purl:
        return ()
    question = Question(
        purl=finding.purl, ecosystem=finding.ecosystem, package=finding.package, release=finding.release,
        place=finding.place, cwe=finding.cwe,
    )  # fmt: skip
    try:
        known = public.ask(table, question, fetch).known
    except InputError:
        return ()
    refs = [(note.source, note.id) for k in known for record in k.records for note in table.records(record)]
    bodies = fetch(refs[:_SCORED]) if learnt is not None else {}
    hints = _hints(finding, known, bodies, learnt, text)
    found = [_suggestion(finding, k, hints.get(k.flaw), bounds_in(table, finding, k.flaw)) for k in known]
    return tuple(sorted(found, key=_rank)[:most])


class Recorded(Struct, frozen=True, kw_only=True):
    """What loaded public records of a flaw say of a finding's product; `named` false: none names it."""

    named: bool
    bounds: tuple[Bounds, ...] = ()


UNRECORDED = Recorded(named=False)


def recorded(table: Table, finding: Finding, flaw: str) -> Recorded:
    """What public records of a flaw say of the finding's product."""
    flaw = flaw_id.read(flaw)
    spoken = _spoken(table, finding, flaw)
    return Recorded(named=bool(spoken[0]), bounds=returned.of_claims(*spoken))


def bounds_in(table: Table, finding: Finding, flaw: str) -> tuple[Bounds, ...]:
    """What public records of a flaw say of the finding's product; () when none of them names it."""
    return returned.of_claims(*_spoken(table, finding, flaw))


def _spoken(table: Table, finding: Finding, flaw: str) -> tuple[list[Claim], str]:
    """The claims of a flaw on the finding's product, and its ecosystem."""
    try:
        found = identified(finding.purl, finding.ecosystem, finding.package, finding.release)
    except InputError:
        return [], ""
    names = {flaw, *table.flaws_of(flaw)}
    ecosystem = found["ecosystem"]
    spoken = claims(table, ecosystem, found["package"]) if ecosystem and found["package"] else ()
    of_flaw = [c for c in spoken if c.record in names or names.intersection(table.flaws_of(c.record))]
    return of_flaw, ecosystem or ""


def say(
    db: Connection,
    finding: Finding,
    flaw: str,
    fixed: Sequence[str],
    why: str,
    *,
    affected: Sequence[Bounds] = (),
    named: bool = True,
    sure: bool = False,
) -> int:
    """Says that a finding is a flaw that is public, fixed in these versions; the number of the statement. On the log.

    `affected` is what the flaw's record says of the product; without it `fixed` alone tells. Where the finding fires
    here in a release past what is affected, it is kept as the flaw's return. `named` says whether a loaded record of
    the flaw names the product; where none does, somebody has to be `sure`: the reporter is told, and a mistyped id is
    another product's flaw.

    Raises:
        InputError: no flaw, or no reason; what is no id; more fixes than are kept, and nothing else to tell by; or no
            record names the product, and nobody is sure (`where` is then "sure").
        ForbiddenError: the caller is no coordinator.
    """
    if not flaw.strip() or not why.strip():
        raise InputError("name the flaw, and say why", where="flaw" if not flaw.strip() else "why")
    flaw = flaw_id.read(flaw)
    if not named and not sure:
        raise InputError(
            f"no loaded record of {flaw} names this product", where="sure",
            mend="look whether it is this flaw, and say that you are sure",
        )  # fmt: skip
    if len(fixed) > _FIXES and not affected:
        # Without the rest, a release on a branch that is left out would be called the flaw's return.
        raise InputError(
            f"{len(fixed)} fixes", where="fixed", mend=f"at most {_FIXES}: name the newest of each branch"
        )
    affected = returned.kept(affected)
    verdict: Verdict = "returns" if _back(finding, fixed, affected) else "is"
    number = scalar(
        db,
        "select clearway.add_finding_known(%s, %s, %s, %s, 1::real, %s, %s)",
        (
            finding.id,
            flaw,
            verdict,
            list(fixed)[:_FIXES],
            why[:2000],
            msgspec.json.encode(affected).decode(),
        ),
    )
    _told(
        db,
        finding,
        "duplicate.known_said",
        {"flaw": flaw, "verdict": verdict, "fixed": list(fixed), "why": why},
    )
    return number


def take_back(db: Connection, finding: Finding, number: int, why: str) -> None:
    """Revokes a statement. Raises ForbiddenError, NotFoundError, ConflictError (it was revoked already)."""
    if not why.strip():
        raise InputError("say why", where="why")
    kept.check_works(db, finding)
    found = next((s for s in statements(db, finding.id) if s.id == number), None)
    if found is None:
        raise NotFoundError("the finding has no such statement", where=f"statement {number}")
    db.execute("select clearway.revoke_finding_known(%s, %s)", (number, why))
    _told(db, finding, "duplicate.known_revoked", {"flaw": found.flaw, "why": why})


def statements(db: Connection, finding: int) -> tuple[Statement, ...]:
    """What was said of a finding, standing first, newest first. Its number, which goes through what is said of all
    findings, for the desk alone."""
    rows = db.execute(
        """select case when clearway.is_desk() then k.known end, k.flaw, k.verdict, k.fixed, k.reason, k.at, k.revoked,
            k.revoked_why, k.affected::text, f.ecosystem, f.release, f.level from clearway.finding_known k
        join clearway.finding f on f.finding = k.finding
        where k.finding = %s order by k.revoked is not null, k.known desc limit 100""",
        (finding,),
    )
    return tuple(
        Statement(
            id=number, flaw=flaw, verdict=verdict, fixed=tuple(fixed), reason=reason, at=at, revoked=revoked,
            revoked_why=revoked_why, affected=(bounds := BOUNDS.decode(said)),
            returns=verdict == "returns" or (None if level >= 1 and _undecided(ecosystem, release, bounds) else False),
        )
        for number, flaw, verdict, fixed, reason, at, revoked, revoked_why, said, ecosystem, release, level in rows
    )  # fmt: skip


def _undecided(ecosystem: str, release: str, bounds: Sequence[Bounds]) -> bool:
    """Whether a record says which versions are affected, and not how this release stands with them."""
    return bool(bounds) and returned.standing(ecosystem, release, bounds) == "unknown"


def _back(finding: Finding, fixed: Sequence[str], affected: Sequence[Bounds]) -> bool:
    if finding.level < 1:
        return False
    if affected:
        return returned.standing(finding.ecosystem, finding.release, affected) == "returns"
    return returns(finding.ecosystem, finding.release, fixed)


def _hints(
    finding: Finding, known: Sequence[Known], bodies: Any, learnt: Learnt | None, text: str
) -> dict[str, float]:
    if learnt is None:
        return {}
    mine = Described(Told(f"{finding.title}\n{text}\n{finding.place} {finding.cwe}"), learnt)
    by_flaw: dict[str, list[Described]] = {}
    for k in known:
        for (source, record), raw in bodies.items():
            said = records.told(raw, source) if record in k.records else None
            if said is not None:
                by_flaw.setdefault(k.flaw, []).append(Described(said, learnt))
    company = Company([mine, *(d for found in by_flaw.values() for d in found)])
    return {flaw: max(score(mine, d, company, found) for d in found) for flaw, found in by_flaw.items()}


def _suggestion(finding: Finding, known: Known, hint: float | None, bounds: Sequence[Bounds]) -> Suggestion:
    back: bool | None = False
    if finding.level >= 1:
        stands = returned.standing(finding.ecosystem, finding.release, bounds)
        # A release that another name of the product's tells of ("fixed") counts as the record's word too.
        back = known.release == "fixed" or stands == "returns" or (None if stands == "unknown" else False)
    return Suggestion(
        flaw=known.flaw, title=known.title, release=known.release, fixed=known.fixed, same_class=known.same_class,
        same_place=known.same_place, hint=None if hint is None else round(hint, 3),
        returns=back,
    )  # fmt: skip


def _rank(found: Suggestion) -> tuple[float, str]:
    return -(2 * bool(found.same_place) + bool(found.same_class) + 2 * (found.hint or 0)), found.flaw


def _told(db: Connection, finding: Finding, what: str, content: dict[str, Any]) -> None:
    ledger.append(db, what, finding.subject, content, aud=finding.aud)
    events.emit(
        db, what, finding.subject, org=finding.org, aud=finding.aud, body={"handling": finding.handling}
    )

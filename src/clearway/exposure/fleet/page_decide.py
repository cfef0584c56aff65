"""Statuses for one or many exposures, from the pages: what will happen, doing it, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ConflictError

from . import listing, status
from .wanted import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    import psycopg

    from .wanted import Filter

_NAMED = 4  # assets by name, before "and n more"
_SHOWN = 8  # of what was decided meanwhile

# What an act is called on its button and afterwards.
ACTS = {
    "fixed": ("It is done", "count as fixed"),
    "mitigated": ("Attackers are kept out another way", "count as mitigated"),
    "accepted": ("Accept it until a day", "are accepted"),
    "not_affected": ("It does not affect us", "count as not affected"),
    "open": ("Open again", "are open again"),
}
# The five justifications (OpenVEX, CSAF) in plain words.
REASONS = {
    "component_not_present": "The component is not there",
    "vulnerable_code_not_present": "The part with the flaw is not in our build",
    "vulnerable_code_not_in_execute_path": "The part with the flaw is never run",
    "vulnerable_code_cannot_be_controlled_by_adversary": "Attackers can't reach it with anything of theirs",
    "inline_mitigations_already_exist": "Something built in stops it",
}


class Reach(Struct, frozen=True, kw_only=True):
    """What an act is about to touch: how many exposures, on which assets, and how they stand now.

    `mine` are those whose organisation the caller operates for; others are passed over.
    """

    total: int
    mine: int
    exact: bool
    assets: tuple[str, ...]
    more_assets: int
    flaws: int
    statuses: tuple[tuple[str, int], ...]


class Batch(Struct, frozen=True):
    """Decisions of one act by their numbers, to take it back by."""

    first: int
    last: int


class Since(Struct, frozen=True, kw_only=True):
    """What somebody has decided of one exposure since a page showed it."""

    exposure: int
    flaw: str
    asset_name: str
    status: str
    by: str  # "" where that is not to be seen
    at: datetime


def state(db: psycopg.Connection[Any], exposures: Sequence[int], orgs: Sequence[int]) -> str:
    """How those of `exposures` stand that the organisations `orgs` decide: another text once one of them was decided
    anew, has ended, or is gone. It is for a form, which brings it back: `NUMBER.DIGEST`, the newest decision and the
    SHA-256 of each one's status and decision.
    """
    row = db.execute(
        """select (select coalesce(max(d.decision), 0) from clearway.decision d), encode(sha256(convert_to(coalesce(
            string_agg(concat_ws(':', e.exposure, e.status, e.decision), ',' order by e.exposure), ''), 'UTF8')), 'hex')
        from clearway.exposure e where e.exposure = any(%s) and e.gone is null and e.org = any(%s)""",
        (list(exposures), list(orgs)),
    ).fetchone()
    return f"{row[0]}.{row[1]}" if row else ""


def holds(shown: str, now: str) -> bool:
    """Whether nothing was decided between two states of the same exposures."""
    return shown.partition(".")[2] == now.partition(".")[2]


def since(db: psycopg.Connection[Any], exposures: Sequence[int], shown: str) -> tuple[Since, ...]:
    """What was decided of `exposures` after the state `shown`, the newest first, a few of them."""
    number = shown.partition(".")[0]
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return ()
    rows = db.execute(
        """select e.exposure, f.id, a.name, e.status, coalesce(p.name, ''), d.at
        from clearway.exposure e join clearway.decision d using (decision)
        join clearway.asset a on a.asset = e.asset join clearway.flaw f on f.flaw = e.flaw
        left join clearway.person p on p.person = d.person
        where e.exposure = any(%s) and e.gone is null and e.decision > %s
        order by e.decision desc limit %s""",
        (list(exposures), int(number), _SHOWN),
    ).fetchall()
    return tuple(
        Since(exposure=r[0], flaw=r[1], asset_name=r[2], status=STATUSES[r[3]], by=r[4], at=r[5])
        for r in rows
    )


def versions(db: psycopg.Connection[Any], exposures: Sequence[int]) -> dict[int, int]:
    """The version of each of `exposures` that is there."""
    return dict(
        db.execute(
            "select exposure, version from clearway.exposure where exposure = any(%s) and gone is null",
            (list(exposures),),
        ).fetchall()
    )


def decide_as_read(
    db: psycopg.Connection[Any], said: status.Decision, read: dict[int, int]
) -> tuple[int, ...]:
    """`status.decide` for exposures that stand at the versions that were read, and for none if one does not.

    What else happens at the same moment is seen too: an act adds one to the version.

    Raises:
        ConflictError: one of them has another version, or is gone.
    """
    if versions(db, list(read)) == read:
        changed = status.decide(db, list(read), said)
        now = versions(db, changed)
        if all(now.get(exposure) == read[exposure] + 1 for exposure in changed):
            return changed
    raise ConflictError(
        "somebody has changed some of them meanwhile",
        where="revisions",
        mend="read them again, and repeat it if it still holds",
    )


def reach(
    db: psycopg.Connection[Any], exposures: Sequence[int], orgs: Sequence[int], *, exact: bool = True
) -> Reach:
    """What there is among `exposures` for a caller who operates for `orgs`."""
    counted = db.execute(
        """select e.status, e.org = any(%(orgs)s), count(*) from clearway.exposure e
        where e.exposure = any(%(ids)s) and e.gone is null group by 1, 2""",
        {"ids": list(exposures), "orgs": list(orgs)},
    ).fetchall()
    row = db.execute(
        """select count(distinct e.flaw), count(distinct e.asset),
            (array_agg(distinct a.name order by a.name))[:%(named)s]
        from clearway.exposure e join clearway.asset a on a.asset = e.asset
        where e.exposure = any(%(ids)s) and e.gone is null""",
        {"ids": list(exposures), "named": _NAMED},
    ).fetchone()
    flaws, assets, names = row or (0, 0, None)
    by_status: dict[str, int] = {}
    for code, _, number in counted:
        by_status[STATUSES[code]] = by_status.get(STATUSES[code], 0) + number
    return Reach(
        total=sum(n for _, _, n in counted),
        mine=sum(n for _, own, n in counted if own),
        exact=exact,
        assets=tuple(names or ()),
        more_assets=max(assets - _NAMED, 0),
        flaws=flaws,
        statuses=tuple(sorted(by_status.items())),
    )


def chosen(db: psycopg.Connection[Any], ids: Sequence[int], wanted: Filter | None) -> list[int]:
    """The exposures of an act: those picked, or all that a list shows."""
    if wanted is not None:
        return listing.ids(db, wanted, status.MOST + 1)
    return list(dict.fromkeys(ids))


def batch_of(db: psycopg.Connection[Any], changed: Sequence[int]) -> Batch:
    """The decisions that these exposures have now."""
    row = db.execute(
        "select min(decision), max(decision) from clearway.exposure where exposure = any(%s)",
        (list(changed),),
    ).fetchone()
    return Batch(*row) if row and row[0] is not None else Batch(0, 0)


def take_back(db: psycopg.Connection[Any], batch: Batch) -> tuple[int, ...]:
    """Gives what the caller decided in this batch, and nobody has decided since, the status it had before.

    Returns the exposures that changed.
    """
    rows = db.execute(
        """select e.exposure, p.status, p.justification, p.detail, p.until, p.pv is null, p.ended_why,
            p.document is not null, p.rule
        from clearway.decision d
        join clearway.exposure e on e.asset = d.asset and e.decision = d.decision and e.gone is null
        left join lateral (
            select * from clearway.decision p where p.asset = d.asset and p.ecosystem = d.ecosystem
                and p.name = d.name and p.records && d.records and (p.pv is null or p.pv = e.pv)
                and p.decision < %(first)s order by p.decision desc limit 1) p on true
        where d.decision between %(first)s and %(last)s and d.person = clearway.actor()""",
        {"first": batch.first, "last": batch.last},
    ).fetchall()
    groups: dict[tuple[Any, ...], list[int]] = {}
    for exposure, code, justification, detail, until, any_version, ended, stated, by_rule in rows:
        before: tuple[Any, ...] = ("open", "", "", None, False, 0)
        # What a document said is a person's word from here on, where it has one of the closed reasons.
        usable = not stated or justification in status.JUSTIFICATIONS
        if code is not None and ended in ("", "superseded") and usable:
            # What a rule said is its word again, and its words stay there.
            words_of = f"rule/{by_rule}" if by_rule else detail
            before = (STATUSES[code], justification, words_of, until, any_version, by_rule or 0)
        groups.setdefault(before, []).append(exposure)
    changed: list[int] = []
    for (name, justification, detail, until, any_version, by_rule), ids in groups.items():
        said = status.Decision(
            status=name, justification=justification, detail=detail, until=until, any_version=any_version
        )
        changed += status.decide(db, ids, said, rule=by_rule)
    return tuple(changed)


def taken_back(db: psycopg.Connection[Any], batch: Batch, changed: int) -> str:
    """What `take_back` did, for the notice, with what stays as it is and why."""
    row = db.execute(
        """select count(*) from clearway.decision where decision between %s and %s
        and person = clearway.actor()""",
        (batch.first, batch.last),
    ).fetchone()
    left = max((row[0] if row else 0) - changed, 0)
    done = "1 exposure is as before." if changed == 1 else f"{changed:,} exposures are as before."
    if not left:
        return done
    why = f"{left:,} {'stays as it is' if left == 1 else 'stay as they are'}: decided anew since, or gone."
    return f"{done} {why}" if changed else f"Nothing is taken back. {why}"


def words(count: int, name: str, until: date | None = None) -> str:
    """What was done, for the notice: "2 exposures are accepted until 7 December 2026"."""
    ends = f" until {until.day} {until:%B %Y}" if until else ""
    things = "1 exposure" if count == 1 else f"{count:,} exposures"
    verb = ACTS[name][1]
    if count == 1:
        verb = {"count as fixed": "counts as fixed", "count as mitigated": "counts as mitigated",
                "are accepted": "is accepted", "count as not affected": "counts as not affected",
                "are open again": "is open again"}[verb]  # fmt: skip
    return f"{things} {verb}{ends}."

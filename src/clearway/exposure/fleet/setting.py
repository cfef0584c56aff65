"""By which directive, policy and option an organisation counts its dates, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.access import audience, marking
from clearway.directives import load
from clearway.directives.governing import DEFAULT, governing
from clearway.directives.kept.governing import bearing, table_of
from clearway.records.errors import UsageError

from . import due
from .acts import record
from .governed import alone

if TYPE_CHECKING:
    from datetime import date

    import psycopg


def of(db: psycopg.Connection[Any], org: int) -> due.Setting:
    """What an organisation has chosen, in the version that governs it; the default where nothing."""
    return due.settings(db, [org])[org]


def choose(db: psycopg.Connection[Any], org: int, chosen: due.Setting, day: date) -> int:
    """Chooses, and dates what stands anew; returns how many exposures have another date or rule. What was shown before
    stays in the history.

    Raises:
        NotFoundError: no such directive ships or bears on the organisation.
        UsageError: it has no such policy or option, or is revoked: nothing would be dated by it.
        ForbiddenError: the caller may not operate for the organisation.
    """
    alone(db, org)  # of two who choose at once, the later one's dates are the ones that stay
    version = governing(bearing(db, [org], day)[org], chosen.directive)
    directive = (
        load(chosen.directive) if version is None else table_of(db, version.version_id, version.sha256)
    )
    if directive.ended(day) is not None:
        instead = directive.revoked_by or DEFAULT
        raise UsageError(
            directive.notice(day), where="directive", mend=f"choose {instead}, or another that stands"
        )
    policy, retier = directive.policy(chosen.policy).id, directive.retier(chosen.retier)
    aud = audience.of(db, marking.own(org))
    db.execute(
        "insert into clearway.fleet_setting (org, aud, directive, policy, retier) values (%s, %s, %s, %s, %s)",
        (org, aud, directive.id, policy, retier),
    )
    moved = due.date_again(db, day, orgs=[org])
    record(
        db, "fleet.set", f"org/{org}",
        {"directive": directive.id, "policy": policy, "retier": retier, "dated": moved}, org=org, aud=aud,
    )  # fmt: skip
    return moved

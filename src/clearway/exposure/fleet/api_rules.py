"""Routes of rules, which decide exposures that are and those that come."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import audiences, reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, needs
from clearway.http.acts import done_once, removed
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.records.principal import member_of

from . import listing, rule
from .api_exposures import Number, Reached, Say, Slug
from .page_common import operating, table_or_none, today
from .status import check_last_day

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.records.principal import Principal


class NewRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule: what it is `about`, and what it says. `expected` is the count of the dry run.

    `until` is its last day, today at the earliest; one that accepts or mitigates ends with what it says, `say.until`.
    """

    organisation: Slug = ""
    name: Annotated[str, Meta(min_length=1, max_length=300)]
    about: rule.Match
    say: Say
    expected: Number
    until: date | None = None


class DryRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule would be about."""

    organisation: Slug = ""
    about: rule.Match


class RuleMade(Struct, frozen=True):
    rule: int
    changed: int


class RuleItem(Struct, frozen=True, kw_only=True):
    """One standing rule."""

    id: int
    organisation: str
    name: str
    about: rule.Match
    say: dict[str, Any]
    until: date | None
    created: Any


class Rules(Struct, frozen=True):
    items: tuple[RuleItem, ...]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @post(
        "/rules/dry-run",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=200,
        summary="How many open exposures a rule would decide",
        responses=gives(Reached, *READ, 413, 415),
    )
    def dry_run(request: Request[Any, Any, Any], data: JSONBody[DryRun]) -> Response[bytes]:
        """Nothing changes."""
        with reading(request) as (db, me, note):
            home = member_of(me, data.organisation, "operate")
            about = rule.meant(db, table_or_none(request), data.about)
            found = rule.dry_run(db, home.org, about)
            note.counted("exposures", rule.question(about), listing.shown_audiences(db))
        return etag.response(request, msgspec.json.encode(Reached(**msgspec.structs.asdict(found))), me)

    @get(
        "/rules", opt=SIGNED_IN, sync_to_thread=True, summary="Standing rules", responses=gives(Rules, *READ)
    )
    def rules(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Those of every organisation that the caller sees."""
        with reading(request) as (db, me, note):
            standing = rule.every(db)
            found = Rules(tuple(_rule(r, me) for r in standing))
            note.listed("rules", "", audiences(db, "fleet_rule", "rule", (r.rule for r in standing)))
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        "/rules/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One rule",
        responses=gives(RuleItem, *READ),
    )
    def one_rule(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """With its tag, for ending it."""
        with reading(request) as (db, me, note):
            found = rule.one(db, number)
            note(f"rule/{number}", audiences(db, "fleet_rule", "rule", [number]))
        return etag.thing(request, _rule(found, me), me, found.version)

    @post(
        "/rules",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        summary="Add a rule",
        responses=gives(RuleMade, *WRITE, status=201),
    )
    def add_rule(request: Request[Any, Any, Any], data: JSONBody[NewRule]) -> Response[bytes]:
        """It decides what is open now, as many as the dry run said, and what comes later."""
        said = data.say.decision()
        check_last_day(data.until, today(), "body.until")

        def act(db: Db, me: Principal) -> Made:
            home = member_of(me, data.organisation, "operate")
            about = rule.meant(db, table_or_none(request), data.about)
            number, changed = rule.add(
                db, home.org, data.name, about, said, expected=data.expected, until=data.until
            )
            return Made(record=RuleMade(number, len(changed)), location=f"/api/v1/rules/{number}")

        return done_once(request, act)

    @delete(
        "/rules/{number:int}",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=204,
        summary="End a rule",
        responses=problems_of(*WRITE),
    )
    def end_rule(request: Request[Any, Any, Any], number: FromPath[int]) -> None:
        """What it decided stands."""

        def act(db: Db, me: Principal, expected: Expected) -> None:
            found = rule.one(db, number)
            expected.check(found.version)
            operating(me, found.org)
            rule.end(db, number, found.version)

        removed(request, act)

    return [dry_run, rules, one_rule, add_rule, end_rule]


def _rule(found: rule.Rule, me: Principal) -> RuleItem:
    said = msgspec.to_builtins(found.said)
    return RuleItem(
        id=found.rule,
        organisation=next((m.slug for m in me.memberships if m.org == found.org), ""),
        name=found.name,
        about=found.matches,
        say=said,
        until=found.until,
        created=found.created,
    )

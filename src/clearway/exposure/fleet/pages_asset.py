"""*Assets*: adding one, one asset with all that is kept of it, and what an upload changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import structs

from clearway.access.reading import reading
from clearway.directives.outlook import support_words
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Address, Form, done, page
from clearway.records.errors import ConfigError, ConflictError, InputError
from clearway.records.principal import member_of
from clearway.records.text import plain

from . import asset as assets
from . import described, inventory, listing, page_seen, page_upload, support, take, unjudged
from . import page_asset_form as forms
from .page_asked import day_in
from .page_common import PAGE, table_of, table_or_none, today
from .wanted import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.handlers import HTTPRouteHandler

    from clearway.records.fleet_input import SetAside

    from .absent import Absent

_FORM = Body(media_type=RequestEncodingType.URL_ENCODED)
_FILE = Body(media_type=RequestEncodingType.MULTI_PART)
_HELD = 100
_CHANGED = 500
_UNDO_CHARS = 1_500
FIELDS = {
    "name": "Name",
    "owner": "Owner",
    "sub_organisation": "Part of",
    "environment": "Environment",
    "kind": "Kind",
    "edge": "Edge device",
    "end_of_support": "End of support",
    "eos_listed": "On CISA's end-of-support list",
    "identifiers": "Identifiers",
    "addresses": "Addresses",
    "names": "Names",
    "decommissioned": "Decommissioned",
}


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/assets/add", opt=needs("operate"), **PAGE)
    def new(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form of a new asset with its inventory."""
        return _adding(request, Form())

    @post("/assets/add", opt=needs("operate"), **PAGE)
    def add(request: Request[Any, Any, Any], data: Annotated[dict[str, Any], _FILE]) -> Response[bytes]:
        """Takes an inventory in, and makes the assets that it speaks of."""
        values = {
            k: forms.text(data, k)
            for k in (
                "name",
                "exposure",
                "environment",
                "owner",
                "organisation",
                "witness",
                "detected",
                "text",
            )
        }
        me = doorkeeper(request).of(request)
        assert me is not None
        try:
            home = member_of(me, values["organisation"], "operate")
            body, filename = forms.document(data)
            made = page_upload.to_organisation(
                doorkeeper(request).pool,
                doorkeeper(request).key(request),
                table_of(request),
                home,
                body,
                filename,
                today(),
                page_upload.NewAsset(
                    name=values["name"],
                    exposure=forms.exposed(values["exposure"] or "unknown"),
                    said_by=me.name,
                    witness=values["witness"],
                    details=assets.Details(
                        owner=values["owner"],
                        environment=values["environment"] or "unknown",  # type: ignore[arg-type]  # checked there
                    ),
                ),
                detected=day_in(values["detected"], "detected"),
            )
        except (InputError, ConflictError, ConfigError) as error:
            return _adding(request, forms.wrong(values, error))
        items, aside = made.items, _aside(made.set_aside) + _absent(made.absent)
        if len(items) == 1:
            return done(
                request,
                f"/inventories/{items[0].inventory}",
                _words(items[0]) + _unjudged(request, items) + aside,
            )
        fresh = sum(m.made for m in items)
        appeared = sum(m.appeared for m in items)
        silenced = sum(s.exposures for m in items for s in m.silenced)
        by_vex = f" {silenced:,} not affected by VEX." if silenced else ""
        return done(
            request,
            "/assets?sort=-added",
            f"{len(items):,} assets, {fresh:,} of them new; {appeared:,} exposures appeared."
            f"{by_vex}{_unjudged(request, items)}{aside}",
        )

    @get("/assets/{asset:int}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], asset: FromPath[int]) -> Response[bytes]:
        """One asset."""
        return _one(request, asset)

    @post("/assets/{asset:int}", opt=needs("operate"), **PAGE)
    def edit(
        request: Request[Any, Any, Any], asset: FromPath[int], data: Annotated[forms.Edited, _FORM]
    ) -> Response[bytes]:
        """Changes its details, unless somebody else has meanwhile."""
        values = {k: str(v) for k, v in structs.asdict(data).items()}
        try:
            details = forms.details(data)
            with acting(request) as (db, _):
                before = assets.one(db, asset)
                assets.change(db, asset, data.version, details, name=data.name)
        except (InputError, ConflictError) as error:
            return _one(request, asset, editing=forms.wrong(values, error))
        back = {**forms.as_form(before), "version": str(data.version + 1)}
        short = sum(map(len, back.values())) < _UNDO_CHARS
        return done(
            request,
            f"/assets/{asset}",
            f"{data.name or before.name} is changed.",
            undo=f"/assets/{asset}" if short else "",
            fields=back if short else {},
        )

    @post("/assets/{asset:int}/exposure", opt=needs("operate"), **PAGE)
    def expose(
        request: Request[Any, Any, Any], asset: FromPath[int], data: Annotated[forms.Exposing, _FORM]
    ) -> Response[bytes]:
        """Says how exposed it is from a day on, and dates what is open on it anew."""
        values = structs.asdict(data)
        try:
            word = forms.exposed(data.exposure)
            with acting(request) as (db, me):
                before = assets.one(db, asset)
                since = day_in(data.since, "since") or today()
                kept, moved = assets.say_exposure(
                    db, asset, word, since, data.said_by or me.name, day=today()
                )
        except InputError as error:
            return _one(request, asset, exposing=forms.wrong(values, error))
        dates = (
            "no date changed" if not moved else "1 date changed" if moved == 1 else f"{moved:,} dates changed"
        )
        return done(
            request,
            f"/assets/{asset}",
            f"{kept.name}: {forms.EXPOSED[word].lower()} since {since.day} {since:%B %Y}; {dates}.",
            undo=f"/assets/{asset}/exposure",
            fields={
                "exposure": before.exposure,
                "since": since.isoformat(),
                "said_by": f"{me.name}, taken back",
            },
        )

    @post("/assets/{asset:int}/inventories", opt=needs("operate"), **PAGE)
    def upload(
        request: Request[Any, Any, Any], asset: FromPath[int], data: Annotated[dict[str, Any], _FILE]
    ) -> Response[bytes]:
        """Takes a new inventory of it in."""
        values = {k: forms.text(data, k) for k in ("text", "witness", "detected")}
        door = doorkeeper(request)
        try:
            body, filename = forms.document(data)
            made = page_upload.to_asset(
                door.pool,
                door.key(request),
                table_of(request),
                asset,
                body,
                filename,
                today(),
                witness=values["witness"],
                detected=day_in(values["detected"], "detected"),
            )
        except (InputError, ConfigError, ConflictError) as error:
            return _one(request, asset, uploading=forms.wrong(values, error))
        return done(
            request,
            f"/inventories/{made.inventory}",
            _words(made) + _unjudged(request, [made]) + _aside(made.set_aside),
        )

    @get("/inventories/{number:int}", opt=SIGNED_IN, **PAGE)
    def difference(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """What one inventory changed on its asset."""
        with reading(request) as (db, me, note):
            found = inventory.difference(db, number)
            kept = assets.one(db, found.inventory.asset)
            note(f"inventory/{number}", [kept.aud])
            lines = listing.page(db, Filter(asset=kept.asset, yes={"status": ("open",)}), limit=8).lines
            seen = page_seen.seen(db, [kept.aud])
            bare = unjudged.of_inventory(db, table_or_none(request), number, today(), shown=100)
        return page(
            request,
            "exposure/inventory.html",
            bare=bare,
            tlp=seen.tlp,
            found=found,
            line=found.inventory,
            asset=kept,
            lines=lines,
            seen=seen,
            most=_CHANGED,
            may=me.may("operate", kept.org),
        )

    @get("/inventories/{number:int}/document", opt=SIGNED_IN, **PAGE)
    def document(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """The document as it came, to be saved."""
        with reading(request) as (db, _, note):
            data = inventory.raw(db, number)
            note(f"inventory/{number}", [assets.one(db, inventory.one(db, number).asset).aud])
        headers = {
            "content-disposition": f'attachment; filename="inventory-{number}"',
            "cache-control": "no-store",
        }
        return Response(data, media_type="application/octet-stream", headers=headers)

    return [new, add, one, edit, expose, upload, difference, document]


def _one(
    request: Request[Any, Any, Any],
    asset: int,
    *,
    editing: Form | None = None,
    exposing: Form | None = None,
    uploading: Form | None = None,
) -> Response[bytes]:
    wrong = next((f for f in (editing, exposing, uploading) if f is not None), None)
    with reading(request) as (db, me, note):
        kept = assets.one(db, asset)
        said = assets.exposures_said(db, asset)
        changed = described.changes(described.described(db, asset))
        documents = inventory.of_asset(db, asset, limit=30)
        after = Address.of(request).get("after")
        start = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
        held = inventory.held(db, asset, after=start, limit=_HELD + 1)
        components = db.execute("select count(*) from clearway.held where asset = %s", (asset,)).fetchone()
        disputed = inventory.disputed(db, asset)
        bare = unjudged.of_asset(db, table_or_none(request), asset, today())
        still_open = Filter(asset=asset, yes={"status": ("open",)})
        lines = listing.page(db, still_open, limit=10).lines
        counted = listing.counts(db, still_open, ("verdict",))
        shown = {kept.aud, *(line.aud for line in lines)}
        note(f"asset/{asset}", shown)
        seen = page_seen.seen(db, shown)
        people = db.execute(
            "select person, name from clearway.person where person = any(%s)",
            ([*(s.person for s in said), *(c.person for c in changed)],),
        ).fetchall()
    return page(
        request,
        "exposure/asset.html",
        status_code=422 if wrong is not None else 200,
        tlp=seen.tlp,
        asset=kept,
        said=tuple(reversed(said)),
        changed=changed,
        fields=FIELDS,
        names=dict(people),
        documents=documents,
        held=held[:_HELD],
        witnesses=tuple(dict.fromkeys(d.witness for d in documents if d.current)),
        counted_components=components[0] if components else 0,
        held_next=held[_HELD - 1].pv if len(held) > _HELD else 0,
        disputed=disputed,
        bare=bare,
        lines=lines,
        counted=counted,
        seen=seen,
        may=me.may("operate", kept.org),
        as_form=forms.as_form(kept),
        editing=editing or Form(),
        exposing=exposing or Form(),
        uploading=uploading or Form(),
        exposed=forms.EXPOSED,
        environments=forms.ENVIRONMENTS,
        today=today(),
        support=support.of_asset(kept, today()),
        support_words=support_words,
    )


def _adding(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    me = doorkeeper(request).of(request)
    assert me is not None
    mine = [m for m in me.memberships if "operate" in m.rights]
    home = looked_as(request, me)
    return page(
        request,
        "exposure/asset_add.html",
        status_code=422 if form.errors else 200,
        form=form,
        mine=mine,
        home=home if home in mine else mine[0],
        exposed=forms.EXPOSED,
        environments=forms.ENVIRONMENTS,
    )


def _unjudged(request: Request[Any, Any, Any], items: Sequence[page_upload.Uploaded]) -> str:
    """What of the assets could not be judged, in a notice: silence about it proves nothing."""
    with acting(request) as (db, _):
        found = unjudged.of_assets(db, table_or_none(request), [m.asset for m in items], today())
    if not found:
        return ""
    if len(items) == 1:
        return f" {plain(next(iter(found.values())).words(), 400)}."
    names = [m.name for m in items if m.asset in found]
    least = "" if all(b.exact for b in found.values()) else "at least "
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f" On {least}{len(names):,} of them not all could be judged: {plain(', '.join(names[:3]), 300)}{more}."


def _aside(rows: Sequence[SetAside]) -> str:
    """What could not be used, in a notice."""
    if not rows:
        return ""
    first = f"{rows[0].place}: {rows[0].reason}"
    number = "1 row was" if len(rows) == 1 else f"{len(rows):,} rows were"
    return f" {number} set aside, so what is missing is not taken to be gone; the first: {plain(first, 200)}"


def _absent(lists: Sequence[Absent]) -> str:
    """What earlier lists had and this one has not, in a notice."""
    return "".join(f" {plain(one.words(), 400)}." for one in lists)


def _words(made: page_upload.Uploaded) -> str:
    silenced = take.not_affected(made.silenced, made.inventory)
    silenced = f" {plain(silenced, 400)}." if silenced else ""
    if made.dated and not made.added and not made.appeared:
        return f"{made.name}: {made.dated:,} exposures were detected earlier than was known.{silenced}"
    if made.passed_over and made.unchanged:
        why = plain(made.passed_over[0], 300)
        return f"{made.name}: nothing changed: {why}. `clearway inventory add --again` takes it.{silenced}"
    if made.unchanged:
        return f"This very document of {made.name} was here already: nothing changed.{silenced}"
    first = "exposure" if made.appeared == 1 else "exposures"
    return (
        f"{made.name}: {made.components:,} components, {made.added:,} added and {made.removed:,} removed; "
        f"{made.appeared:,} {first} appeared, {made.ended:,} ended.{silenced}"
    )

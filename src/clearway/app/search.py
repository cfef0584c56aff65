"""*Search*: over everything one may see. An exact id leads straight to its page; everything else is grouped by kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import QueryParameter
from litestar.response import Redirect
from msgspec import Struct

from clearway.access.reading import reading
from clearway.exposure.fleet import page_seen, version
from clearway.exposure.fleet.page_quick import quick
from clearway.http import csv_out, etag
from clearway.http.acting import SIGNED_IN
from clearway.http.openapi import READ, problems_of
from clearway.http.pages import page
from clearway.records.errors import ConfigError, InputError, IntegrityError
from clearway.store import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from litestar.types import ControllerRouterHandler

    from clearway.advisories.table import Table

# In the order in which they are shown.
KINDS = {
    "asset": ("Assets", "asset"),
    "component": ("Components", "component"),
    "flaw": ("Flaws", "flaw"),
    "finding": ("Findings", "finding"),
    "case": ("Cases", "case"),
    "triage": ("Forensic triages", "triage"),
    "report": ("Reports", "report"),
    "directive": ("Directives", "directive version"),
    "organisation": ("Organisations", "organisation"),
}
SHOWN = 10  # of each kind, where all kinds are shown
MOST = 200  # of the one kind that is asked for
_LOOKED_AT = 200  # of each kind, to put first what bears the very name
_FEW_AUDIENCES = 64  # which a query names, so that an index finds them
_PATIENCE_MS = 1_500
_LIKE = re.compile(r"[\\%_]")  # what `like` reads as more than itself
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_LONGEST = 200  # characters of a question
_ID = re.compile(r"[A-Za-z][\w.:+-]{3,}")
# The years in which there are CVEs, and as much of a number as was typed.
_CVE_BEGUN = re.compile(r"(?:CVE[-_ ]?)?((?:1999|2\d{3}))[-_](\d{0,19})", re.IGNORECASE | re.ASCII)
_REF = re.compile(r"(asset|triage|report)/(\d{1,9})")
_PATHS = {"asset": "/assets/", "triage": "/directives/triages/", "report": "/directives/reports/"}
_HANDLING = re.compile(r"CW([FC])-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")
QueryText = Annotated[str, QueryParameter(max_length=_LONGEST, description="words, or an id")]


class Hit(Struct, frozen=True, kw_only=True):
    """One thing found. `marking` is its TLP label."""

    kind: str
    id: str
    title: str
    path: str
    marking: str


class Group(Struct, frozen=True, kw_only=True):
    """What was found of one kind. `more`: there are more than these."""

    kind: str
    label: str
    items: tuple[Hit, ...]
    more: bool


class Result(Struct, frozen=True, kw_only=True):
    """The answer to a question. `exact` is the page of the one thing whose id it is, "" where it is none's."""

    query: str
    exact: str
    groups: tuple[Group, ...]


class Answer(Struct, frozen=True, kw_only=True):
    """A result and how it is marked."""

    result: Result
    seen: page_seen.Seen
    auds: tuple[int, ...] = ()  # of each marked row


def exact(db: psycopg.Connection[Any], table: Table | None, text: str) -> str:
    """The path of the page of the one thing whose id `text` is, as far as the reader may see it; else ""."""
    text = text.strip()
    if found := _REF.fullmatch(text.casefold()):
        # The path alone: the page says 404 to who may not see it, and so it does for a number that is nobody's.
        return f"{_PATHS[found[1]]}{found[2]}"
    if (found := _HANDLING.fullmatch(text.upper())) and (path := _handled(db, found)):
        return path
    if not _ID.fullmatch(text):
        return ""
    spellings = list(dict.fromkeys((text, text.upper(), "GHSA-" + text[5:].lower())))
    if text.casefold().startswith("ghsa-"):
        spellings.reverse()
    if table is not None:
        for spelled in spellings:
            named = table.flaws_of(spelled)
            if len(named) == 1:
                return f"/flaws/{quote(named[0], safe='')}"
            if named:  # an advisory about several
                return f"/flaws/{quote(spelled, safe='')}"
    row = db.execute(
        """select id from clearway.flaw where id = any(%s) union all
        select old from clearway.flaw_redirect r where old = any(%s)
            and exists (select from clearway.flaw f where f.id = r.new) limit 1""",
        (spellings, spellings),
    ).fetchone()
    return f"/flaws/{quote(str(row[0]), safe='')}" if row else ""


def _handled(db: psycopg.Connection[Any], found: re.Match[str]) -> str:
    """The page of a finding or case. A case's id is also that of its published advisory, for who sees no more."""
    if found[1] == "F":
        return f"/findings/{found[0]}"
    mine = db.execute("select from clearway.desk_case where handling = %s", (found[0],)).fetchone()
    return "" if mine is None else f"/cases/{found[0]}"


def answer(
    db: psycopg.Connection[Any], table: Table | None, text: str, kinds: Sequence[str] = (), most: int = SHOWN
) -> Answer:
    """What the reader may see that has every word of `text`, at most `most` of each kind, the best first."""
    groups: list[tuple[str, list[search.Found], bool]] = []
    for kind in kinds or tuple(KINDS):
        if kind == "organisation":
            found = _organisations(db, text, most + 1)
        elif kind == "component":
            found = _components(db, text, most + 1)
        else:
            found = _begun(db, text, most + 1) if kind == "flaw" else []
            if len(found) <= most:
                known = search.find(db, text, kinds=[kind], most=max(most + 1, _LOOKED_AT))
                there = {(one.ref, one.org) for one in found}
                found += [one for one in _ranked(text, known) if (one.ref, one.org) not in there]
            found = found[: most + 1]
        if found:
            groups.append((kind, found[:most], len(found) > most))
    auds = tuple(f.aud for _, found, _ in groups for f in found if f.aud)
    seen = page_seen.seen(db, auds)
    result = Result(
        query=text,
        exact=exact(db, table, text),
        groups=tuple(
            Group(
                kind=kind,
                label=KINDS[kind][0],
                more=more,
                items=tuple(_hit(f, seen) for f in found),
            )
            for kind, found, more in groups
        ),
    )  # fmt: skip
    return Answer(result=result, seen=seen, auds=auds)


def _ranked(text: str, found: Sequence[search.Found]) -> list[search.Found]:
    """What is called that before what only has the words; else in the order found."""
    wanted = " ".join(text.casefold().split())
    return sorted(found, key=lambda f: wanted not in f.title.casefold().split(" · "))


def _begun(db: psycopg.Connection[Any], text: str, most: int) -> list[search.Found]:
    """The flaws whose CVE id begins as `text` does ("CVE-2024-12", "2024-12"), the exact id first, then by number."""
    asked = _CVE_BEGUN.fullmatch(text.strip())
    return [] if asked is None else [*search.begun(db, "flaw", f"CVE-{asked[1]}-{asked[2]}", most=most)]


def _hit(found: search.Found, seen: page_seen.Seen) -> Hit:
    marking = seen.labels.get(found.aud, "RED") if found.aud else "CLEAR"
    return Hit(kind=found.kind, id=found.ref, title=found.title, path=found.path, marking=marking)


_COMPONENTS = """
with named as materialized (
    select v.pv, v.ecosystem, v.name, v.version, v.purl, u.aud,
        case when v.ecosystem = 'vendor' then v.component end as made from clearway.version_use u
    join clearway.package_version v on v.pv = u.pv
    where (%(auds)s::int[] is null or u.aud = any(%(auds)s::int[]))
    and case when v.ecosystem = 'vendor'
        then lower(v.name || ' ' || v.version || ' ' || v.purl || ' ' || encode(v.component, 'escape'))
            like all (%(loose)s::text[])
        else lower(v.name || ' ' || v.version || ' ' || v.purl) like all (%(words)s::text[]) end
    order by lower(v.name) <> %(name)s, v.name, v.pv limit 2000),
matching as materialized (
    select * from named n where exists (select from clearway.held h where h.aud = n.aud and h.pv = n.pv)
    order by lower(n.name) <> %(name)s, n.name, n.pv limit %(most)s)
select distinct on (lower(m.name) <> %(name)s, m.name, m.pv, a.asset)
    case when m.purl = '' then m.ecosystem || ':' || m.name || '@' || m.version else m.purl end,
    m.name, m.version, a.name, m.made, a.asset, a.org, a.aud::int
from matching m join clearway.held h on h.aud = m.aud and h.pv = m.pv join clearway.asset a on a.asset = h.asset
order by lower(m.name) <> %(name)s, m.name, m.pv, a.asset limit %(most)s"""


def _components(db: psycopg.Connection[Any], text: str, most: int) -> list[search.Found]:
    """What assets that the reader sees run now, by vendor, name, version and purl, under the reader's rights.

    A dictionary of versions is shared by all, so there is no document of one. Nothing where looking takes too long.
    """
    words = search.question(text)
    if not words:
        return []
    row = db.execute("select clearway.my_audiences(%s)", (_FEW_AUDIENCES,)).fetchone()
    given = {
        "auds": row[0] if row else None,
        "words": [f"%{_LIKE.sub(_itself, w)}%" for w in words],
        # Of a vendor the row has bytes, whose letters beyond ASCII have no case: any stand for them, until it is read.
        "loose": [f"%{_FOREIGN.sub('%', _LIKE.sub(_itself, w))}%" for w in words],
        "name": words[0],
        "most": most,
    }
    rows = quick(db, lambda: db.execute(_COMPONENTS, given).fetchall(), _PATIENCE_MS)
    return [
        search.Found(
            kind="component",
            ref=ref,
            org=org,
            aud=aud,
            title=f"{version.named(vendor, name)} {number} on {host}",
            path=f"/assets/{asset}",
        )
        for ref, name, number, host, made, asset, org, aud in rows or ()
        # The row as it is kept holds more than the vendor: what else has the words is no answer.
        if not (vendor := version.vendor_of(made))
        or all(w in f"{vendor} {name} {number} {ref}".casefold() for w in words)
    ]


def _itself(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _organisations(db: psycopg.Connection[Any], text: str, most: int) -> list[search.Found]:
    """Organisations are few, and not marked: their names are looked through as they are."""
    words = search.question(text)
    if not words:
        return []
    rows = db.execute(
        """select slug, name, org from clearway.organisation where active
        and (select bool_and(strpos(lower(name || ' ' || slug), w) > 0) from unnest(%s::text[]) w)
        order by name limit %s""",
        (words, most),
    ).fetchall()
    return [
        search.Found(kind="organisation", ref=r[0], org=r[2], aud=0, title=r[1], path="/settings/organisations")
        for r in rows
    ]  # fmt: skip


def _table(request: Request[Any, Any, Any]) -> Table | None:
    try:
        found: Table = request.app.state.table.current()
    except (ConfigError, IntegrityError):
        return None
    return found


def _kinds(asked: str) -> tuple[str, ...]:
    if asked and asked not in KINDS:
        raise InputError("there is no such kind", where="query.kind", mend=f"one of {', '.join(KINDS)}")
    return (asked,) if asked else ()


def routes() -> ControllerRouterHandler:
    """The page and the API's route."""

    @get("/search", opt=SIGNED_IN, sync_to_thread=True, include_in_schema=False)
    def show(request: Request[Any, Any, Any]) -> Response[bytes] | Redirect:
        """What is found; an exact id leads to its page, unless `all` asks for the list."""
        text = str(request.query_params.get("q", "")).strip()[:_LONGEST]
        kind = str(request.query_params.get("kind", ""))
        wanted = _kinds(kind)
        with reading(request) as (db, me, note):
            table = _table(request)
            if text and not wanted and not request.query_params.get("all"):
                straight = exact(db, table, text)
                if straight:
                    return Redirect(straight, status_code=303)
            found = answer(db, table, text, wanted, MOST if wanted else SHOWN)
            note.listed("search", urlencode({"kind": kind, "q": text}), found.auds)
        asked = bool(search.question(text))
        return page(
            request,
            "app/search.html",
            tlp=found.seen.tlp,
            result=found.result,
            seen=found.seen,
            asked=asked,
            kinds=KINDS,
            kind=kind,
            shown=sum(len(g.items) for g in found.result.groups),
            no_table=table is None,
            may=me.may("operate"),
        )

    @get(["/search.json", "/search.csv"], opt=SIGNED_IN, sync_to_thread=True, include_in_schema=False)
    def files(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same as a file."""
        text = str(request.query_params.get("q", "")).strip()[:_LONGEST]
        kind = str(request.query_params.get("kind", ""))
        wanted = _kinds(kind)
        with reading(request) as (db, me, note):
            found = answer(db, _table(request), text, wanted, MOST)
            note.listed("search", urlencode({"kind": kind, "q": text}), found.auds)
        if request.url.path.endswith(".json"):
            return etag.response(request, msgspec.json.encode(found.result), me)
        rows = [[h.kind, h.id, h.title, h.path, h.marking] for g in found.result.groups for h in g.items]
        body = csv_out.table(["kind", "id", "title", "path", "marking"], rows)
        headers = {"content-disposition": 'attachment; filename="search.csv"'}
        return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)

    @get(
        "/api/v1/search",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Search over everything that one may see",
        tags=["search"],
        responses={**problems_of(*READ)},
    )
    def ask(
        request: Request[Any, Any, Any],
        q: QueryText = "",
        kind: Annotated[str, QueryParameter(max_length=20)] = "",
    ) -> Result:
        """Every word must be there, the last may be unfinished; grouped by kind, the best first."""
        with reading(request) as (db, _, note):
            found = answer(db, _table(request), q, _kinds(kind), MOST if kind else SHOWN)
            note.listed("search", urlencode({"kind": kind, "q": q}), found.auds)
        return found.result

    return Router("/", route_handlers=[show, files, ask])

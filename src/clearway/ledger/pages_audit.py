"""*Audit*: who did what, one entry with its proof, and why one may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath
from msgspec import Struct

from clearway.http.acting import SIGNED_IN, acting
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Column, Form, Table, page
from clearway.records.errors import ClearwayError, NotFoundError

from . import entries, page_seen
from . import tree_store as tree
from .api import ENTRIES_LIST
from .note import parse_key
from .proofs import checked
from .reading import as_file, reading
from .verifying import standing

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from .entries import Entry

_R = Request[Any, Any, Any]
_PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
_FILTERS = ("actor", "act", "subject", "since", "until")
_MOST_SHOWN = 2_000  # characters of one value
COLUMNS = (
    Column(key="act", label="What", lead=True),
    Column(key="actor", label="Who"),
    Column(key="subject", label="About", wide=True),
    Column(key="at", label="When", sort="entry"),
    Column(key="state", label="In the log", term="integrated"),
    Column(key="aud", label="Marking", term="TLP"),
)


_SIGNED_IN = "session.begun"


class _Begun(Struct, frozen=True):
    person: int


class Checked(Struct, frozen=True, kw_only=True):
    """An entry's proof, computed anew: whether it holds, and if not, why."""

    ok: bool
    why: str = ""
    leaf: int = 0
    size: int = 0
    steps: int = 0
    signer: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/audit", opt=SIGNED_IN, **_PAGE)
    def listed(request: _R) -> Response[bytes]:
        """The newest entries first, as far as the reader may see them."""
        if any(value == "" for _, value in request.query_params.multi_items()):
            # A form sends its empty fields too; the address of what is shown has none.
            return Response(b"", status_code=303, headers={"location": str(Address.of(request))})
        asked = ENTRIES_LIST.asked(request)
        with reading(request) as (db, me, note):
            found = ENTRIES_LIST.read(db, me, asked, sealer(request))
            note.page(found)
            state = entries.status(db)
            seen = page_seen.audiences(db, found.auds)
            who = names(db, (actor_of(e) for e in found.items))
            known = db.execute(
                "select person, name from clearway.person where kind <> 'public' order by lower(name), person limit 500"
            ).fetchall()
            acts = entries.acts(db)
            verified = standing(db)
        address = Address.of(request)
        table = Table(
            id="entries",
            caption="Entries of the log",
            columns=COLUMNS,
            rows=found.items,
            address=address,
            key="entry",
            default_sort="-entry",
            next=found.next,
            noun="entry",
        )
        unknown = any(aud not in seen for aud in found.auds)
        return page(
            request,
            "ledger/audit.html",
            tlp=page_seen.strictest(seen.values(), unknown),
            table=table,
            state=state,
            seen={
                entry.entry: seen[aud]
                for entry, aud in zip(found.items, found.auds, strict=True)
                if aud in seen
            },
            who=who,
            form=Form({name: address.get(name) for name in _FILTERS}),
            people=[("", "anybody"), ("0", "Clearway itself"), *((str(p), n) for p, n in known)],
            acts=[("", "anything"), *((act, words(act)) for act in acts)],
            narrowed=any(address.get(name) for name in _FILTERS),
            verified=verified,
            words=words,
            actor_of=actor_of,
            may_verify=me.may("audit"),
        )

    @get(["/audit.json", "/audit.csv"], opt=SIGNED_IN, **_PAGE)
    def told(request: _R) -> Response[bytes]:
        """The same list for programs, with the contents."""
        return as_file(request, ENTRIES_LIST)

    @get("/audit/{entry:int}", opt=SIGNED_IN, **_PAGE)
    def one(request: _R, entry: FromPath[int]) -> Response[bytes]:
        """One entry: who, what, its content, its proof computed anew, and why the reader may see it."""
        with reading(request) as (db, me, note):
            found = entries.one(db, entry)
            seen = page_seen.audience(db, found.aud)
            proof = _proof(db, found)
            told = note(f"entry/{entry}", [found.aud])
            who = names(db, [actor_of(found)])
            agreed = _agreed(db, found)
            around = entries.listed(db, entries.Filter(subject=found.subject or "?"), limit=12)
            who |= names(db, (actor_of(e) for e in around))
        return page(
            request,
            "ledger/entry.html",
            tlp=page_seen.strictest([seen]),
            entry=found,
            content=_pairs(found),
            seen=seen,
            proof=proof,
            told=told,
            who=who,
            me=me,
            agreed=agreed,
            around=[e for e in around if e.act != "content.read"],
            words=words,
            actor_of=actor_of,
        )

    @get("/audit/{entry:int}/proof", opt=SIGNED_IN, **_PAGE)
    def proof_of(request: _R, entry: FromPath[int]) -> Response[bytes]:
        """The proof as a file, to be checked elsewhere. It has the entry's content."""
        with reading(request) as (db, _, note):
            found = entries.one(db, entry)
            proof = entries.proof(db, entry)
            note(f"entry/{entry}", [found.aud])
        headers = {
            "content-disposition": f'attachment; filename="entry-{entry}.proof.json"',
            "cache-control": "no-store",
        }
        return Response(msgspec.json.encode(proof), media_type="application/json", headers=headers)

    @get("/audit/audience/{aud:int}", opt=SIGNED_IN, **_PAGE)
    def why(request: _R, aud: FromPath[int]) -> Response[bytes]:
        """Who can see what has this audience, and why the reader can."""
        with acting(request) as (db, _):
            seen = page_seen.audience(db, aud)
        return page(request, "ledger/audience.html", seen=seen, tlp=None)

    return [listed, told, one, proof_of, why]


def words(act: str | None) -> str:
    """An act as it is read: "asset.added" is "asset added"."""
    return (act or "erased").replace(".", " ").replace("_", " ")


def actor_of(entry: Entry) -> int | None:
    """Who acted; of a session that began, whose it is: until then they were nobody, and the system wrote the entry."""
    if entry.act != _SIGNED_IN or entry.actor != 0 or not entry.content:
        return entry.actor
    content: Any = entry.content  # a list has it read, one entry as it is kept
    try:
        if isinstance(content, dict):
            return msgspec.convert(content, _Begun).person
        return msgspec.json.decode(content, type=_Begun).person
    except msgspec.MsgspecError:
        return entry.actor


def names(db: Any, people: Any) -> dict[int | None, str]:
    """Who acted, in words; a person whom the reader may not know by number."""
    wanted = {p for p in people if p is not None}
    rows = db.execute(
        "select person, name from clearway.person where person = any(%s)", ([p for p in wanted if p > 0],)
    ).fetchall()
    found: dict[int | None, str] = {p: f"person {p}" for p in wanted}
    found |= {0: "Clearway itself", -1: "the public", None: "erased"}
    return found | dict(rows)


def _proof(db: Any, found: Entry) -> Checked | None:
    """The proof of an entry, computed anew under the key that signs now; None while it waits for its place."""
    if found.leaf is None:
        return None
    try:
        proof = entries.proof(db, found.entry)
        key = parse_key(tree.head(db).keys[0])
        whole, checkpoint = checked(msgspec.json.encode(proof), key)
    except NotFoundError:
        return None  # integrated, and the checkpoint that covers it is not signed yet
    except (ClearwayError, IndexError) as error:
        return Checked(ok=False, why=str(error))
    return Checked(ok=True, leaf=whole.leaf, size=checkpoint.size, steps=len(whole.proof), signer=key.name)


def _pairs(found: Entry) -> list[tuple[str, str]]:
    """The content as names and values; nested values as JSON."""
    if not found.content:
        return []
    whole = msgspec.json.decode(found.content)
    if not isinstance(whole, dict):
        return []
    return [(str(name).replace("_", " "), _value(value)) for name, value in list(whole.items())[:100]]


def _value(value: object) -> str:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + "…"


def _agreed(db: Any, found: Entry) -> tuple[str, str] | None:
    """Who asked for what this entry did and who agreed, where it took two people."""
    content = msgspec.json.decode(found.content) if found.content else {}
    number = content.get("approval") if isinstance(content, dict) else None
    if found.act != "marking.changed" or not isinstance(number, int):
        return None
    row = db.execute(
        "select asked_by, decided_by from clearway.approval where approval = %s", (number,)
    ).fetchone()
    if row is None:
        return None
    who = names(db, row)
    return who[row[0]], who[row[1]]

"""VEX that comes with an inventory: what its statements say of the asset's exposures, and who said so.

What a statement does is decided as `clearway match` decides it (`exposure.vex`): it is about a component itself, or
about a part of the document's own product; the newest that holds on the day decides. Where it takes a finding back, the
exposure is *not affected* by the word of the document, as a decision that hangs on asset, component and records like
any other. It stays until that witness's newest document no longer says so, or the statement expires. What a person or
a rule has decided goes before it, whatever comes later.

1. `take` takes an inventory in, keeps the statements beside it, and asks them.
2. `noted.note` notes assets whose statements are to be asked again: after new advisories or VEX, and on a new day.
3. `pending`, the owner's, asks them, some assets at a time.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import zstandard
from msgspec import Struct
from msgspec.structs import replace

from clearway.advisories.table import VexClaim, product_key
from clearway.exposure.match import Matcher
from clearway.exposure.vex import Statements, claims_of, deciding
from clearway.records.errors import ClearwayError, TooLargeError

from . import dictionary
from . import take as taking
from .acts import record
from .version import clean, digest_of, storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table
    from clearway.records.finding import Finding
    from clearway.records.inventory import Inventory

    from .prepare import Prepared

MOST = 200_000  # statements that come with one inventory, one for each product that they name
_BODY_BYTES = 64 << 20
_AT_ONCE = 50  # assets of one transaction
_NAMED = 500
# CycloneDX's words that mean the same as one of the five (`status.JUSTIFICATIONS`); others stay words of the detail.
_SAME = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
_COMPRESSOR = zstandard.ZstdCompressor(level=3)


class Kept(Struct, frozen=True, array_like=True):
    """What one document brought. `purls`: of components that its statements name, as the document writes them."""

    root: str
    claims: tuple[VexClaim, ...]
    purls: dict[str, tuple[str, ...]]


_ENCODE = msgspec.msgpack.Encoder().encode
_KEPT = msgspec.msgpack.Decoder(Kept)


def take(
    db: psycopg.Connection[Any],
    table: Table,
    asset: int,
    prepared: Prepared,
    raw: bytes,
    *,
    day: date,
    given: Sequence[VexClaim] = (),
    **more: Any,
) -> taking.Taken:
    """`take.take`, and what the inventory's own statements, and those `given` with it, say of the asset (`silenced`).

    Raises: as `take.take`, and TooLargeError for over `MOST` statements.
    """
    kept = kept_of(prepared.inventory, given)
    taken = taking.take(db, asset, prepared, raw, day=day, **more)
    if kept is None and more.get("fresh"):
        return taken
    if taken.unchanged and not given:
        words = _asked(db, table, asset, day) if _stands(db, asset) else []
        return replace(taken, silenced=_silenced(db, words or []))
    if kept is not None:
        body = _COMPRESSOR.compress(_ENCODE(kept))
        product = storable(product_key(kept.root))
        db.execute(
            "select clearway.fleet_keep_vex(%s, %s, %s, %s)",
            (taken.inventory, product, bool(kept.claims), body),
        )
    return replace(taken, silenced=_silenced(db, _settled(db, table, asset, day)[2]))


def kept_of(inventory: Inventory, given: Iterable[VexClaim] = ()) -> Kept | None:
    """What to keep of an inventory's statements; None where there is nothing to ask. Raises TooLargeError."""
    claims = tuple(_storable(c) for c in (*given, *claims_of(inventory)))
    if len(claims) > MOST:
        raise TooLargeError(
            f"{len(claims):,} VEX statements",
            where=inventory.name,
            mend=f"at most {MOST:,} with one inventory",
        )
    if not claims and not product_key(inventory.root_purl):
        return None
    named = {product_key(p) for c in claims for p in (c.product, *c.subcomponents)}
    purls: dict[str, dict[str, None]] = {}
    for component in inventory.components:
        if product_key(component.purl) in named:
            digest = digest_of(clean(component)).hex()
            purls.setdefault(digest, {})[storable(component.purl)] = None
    kept = Kept(storable(inventory.root_purl), claims, {d: tuple(p) for d, p in purls.items()})
    if len(_ENCODE(kept)) > _BODY_BYTES:
        raise TooLargeError(
            "its VEX statements are too long", where=inventory.name, mend="name fewer products"
        )
    return kept


def settle(db: psycopg.Connection[Any], table: Table, asset: int, day: date) -> tuple[int, int]:
    """Asks the statements of an asset's current inventories; returns how many exposures they took back and gave free.

    In the transaction of who may operate for it, or the owner's.
    """
    made, ended, _ = _settled(db, table, asset, day)
    return made, ended


class _Word(NamedTuple):
    """What takes an exposure back: which inventory it came with, and what it says."""

    exposure: int
    inventory: int
    claim: VexClaim


def _settled(
    db: psycopg.Connection[Any], table: Table, asset: int, day: date
) -> tuple[int, int, Sequence[_Word]]:
    words = _asked(db, table, asset, day)
    if words is None:
        if not _stands(db, asset):
            return 0, 0, ()
        words = []
    said = [_words(w.claim) for w in words]
    row = db.execute(
        "select made, ended from clearway.fleet_vex(%s, %s, %s, %s, %s)",
        (asset, [w.exposure for w in words], [w.inventory for w in words], [s[0] for s in said], [s[1] for s in said]),
    ).fetchone()  # fmt: skip
    assert row is not None
    made, ended = row
    _tell(db, asset, "not_affected", made)
    _tell(db, asset, "open", ended)
    return len(made), len(ended), words


def _asked(db: psycopg.Connection[Any], table: Table, asset: int, day: date) -> list[_Word] | None:
    """What the statements of an asset's current inventories take back; None where there are none."""
    documents = _documents(db, asset)
    if not any(kept.claims or (kept.root and table.vex(product_key(kept.root))) for _, kept in documents):
        return None
    return _said(db, table, asset, day, documents)


def _silenced(db: psycopg.Connection[Any], words: Sequence[_Word]) -> tuple[taking.Silenced, ...]:
    """How many exposures stand as not affected by each of these documents; a person's or rule's word goes before."""
    if not words:
        return ()
    rows = db.execute(
        """select e.exposure from clearway.exposure e join clearway.decision d on d.decision = e.decision
        where e.exposure = any(%s) and e.gone is null and e.status = 3 and d.document is not null
            and d.ended is null""",
        ([w.exposure for w in words],),
    )
    silent = {row[0] for row in rows}
    counts = Counter((w.inventory, w.claim.source, w.claim.document) for w in words if w.exposure in silent)
    return tuple(
        taking.Silenced(inventory=inventory, source=source, document=document, exposures=count)
        for (inventory, source, document), count in sorted(counts.items())
    )


def _documents(db: psycopg.Connection[Any], asset: int) -> list[tuple[int, Kept]]:
    """(inventory, what it brought) of each witness's newest, the newest first."""
    rows = db.execute(
        """select v.inventory, v.body from clearway.inventory_vex v
        join clearway.inventory i on i.inventory = v.inventory and i.current
        where v.asset = %s order by v.inventory desc""",
        (asset,),
    )
    return [(number, kept) for number, body in rows if (kept := _read(bytes(body))) is not None]


def _read(body: bytes) -> Kept | None:
    """What was kept; None for what `take` would not have kept: it says nothing, and stops nobody."""
    try:
        size = zstandard.frame_content_size(body)
        if not 0 <= size <= _BODY_BYTES:  # the frame's own word is what would be allocated
            return None
        return _KEPT.decode(zstandard.ZstdDecompressor().decompress(body, max_output_size=_BODY_BYTES))
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _stands(db: psycopg.Connection[Any], asset: int) -> bool:
    row = db.execute(
        """select exists (select from clearway.decision
            where asset = %s and document is not null and ended is null)""",
        (asset,),
    ).fetchone()
    return bool(row and row[0])


def _said(
    db: psycopg.Connection[Any], table: Table, asset: int, day: date, documents: Sequence[tuple[int, Kept]]
) -> list[_Word]:
    exposures = db.execute(
        """select e.exposure, e.pv, f.id, v.digest from clearway.exposure e
        join clearway.flaw f on f.flaw = e.flaw join clearway.package_version v on v.pv = e.pv
        where e.asset = %s and e.gone is null and e.via = 0 order by e.exposure""",
        (asset,),
    ).fetchall()
    components = dictionary.components(db, {row[1] for row in exposures})
    table.expect(len(components))
    matcher = Matcher(table, as_of=day)
    findings: dict[int, Mapping[str, Finding]] = {}
    statements = Statements(table)
    about = [(number, kept, statements.about(kept.claims, kept.root)) for number, kept in documents]
    found = []
    for exposure, pv, flaw, digest in exposures:
        if pv not in findings:
            findings[pv] = {f.flaw: f for f in matcher.component(components[pv])[0]}
        finding = findings[pv].get(flaw)
        if finding is None:  # a scanner's word alone, which no statement is about
            continue
        word: tuple[int, VexClaim] | None = None
        # Written in several ways, a component is taken back where each of them is.
        ways = {p for _, kept, _ in about for p in kept.purls.get(bytes(digest).hex(), ())}
        for purl in sorted(ways or {components[pv].purl}):
            claims: dict[VexClaim, int] = {}
            for number, _, ask in about:
                for claim in ask(finding, purl):
                    claims.setdefault(claim, number)
            decides = deciding(claims, day)
            if decides is None:
                word = None
                break
            word = word or (claims[decides], decides)
        if word is not None:
            found.append(_Word(exposure, *word))
    return found


def _words(claim: VexClaim) -> tuple[str, str]:
    """The justification among the closed five, or "", and the rest in words."""
    from .status import JUSTIFICATIONS

    stated = _SAME.get(claim.justification, claim.justification)
    said = [f"VEX: {claim.status}"]
    if (claim.justification and stated != claim.justification) or stated not in JUSTIFICATIONS:
        said[0] += f", {claim.justification}" if claim.justification else ""
    if claim.impact:
        said.append(claim.impact)
    if claim.source != "inventory":
        said.append(f"{claim.source}, {claim.document}")
    return (stated if stated in JUSTIFICATIONS else ""), storable("; ".join(said))[:1_000]


def _tell(db: psycopg.Connection[Any], asset: int, word: str, exposures: Sequence[int]) -> None:
    if not exposures:
        return
    rows = db.execute(
        """select e.org, e.aud, d.document, array_agg(e.exposure order by e.exposure) from clearway.exposure e
        left join clearway.decision d on d.decision = e.decision
        where e.exposure = any(%s) group by 1, 2, 3 order by 1, 2, 3""",
        (list(exposures),),
    ).fetchall()
    for org, aud, document, those in rows:
        content: dict[str, object] = {
            "status": word, "asset": asset, "count": len(those), "exposures": those[:_NAMED],
            "by": "VEX" if document is None else f"inventory/{document}",
        }  # fmt: skip
        subject = f"exposure/{those[0]}" if len(those) == 1 else f"asset/{asset}/exposures"
        record(db, "exposure.decided", subject, content, org=org, aud=aud)


def pending(db: psycopg.Connection[Any], table: Table, day: date) -> bool:
    """Asks the statements of some of the assets that were noted; False when there are none. The owner's transaction."""
    rows = db.execute(
        """delete from clearway.fleet_vexing where asset in (
            select asset from clearway.fleet_vexing order by asset limit %s for update skip locked)
        returning asset""",
        (_AT_ONCE,),
    ).fetchall()
    for (asset,) in sorted(rows):
        # One asset whose statements can't be asked keeps nobody else's from being asked.
        with suppress(ClearwayError), db.transaction():
            db.execute("select from clearway.asset where asset = %s for update", (asset,))  # as `take` does
            settle(db, table, asset, day)
    return bool(rows)


def _storable(c: VexClaim) -> VexClaim:
    """The statement with every text storable."""
    words = {f: storable(getattr(c, f)) for f in c.__struct_fields__ if isinstance(getattr(c, f), str)}
    lists = {f: tuple(storable(t) for t in getattr(c, f)) for f in ("flaws", "subcomponents")}
    return replace(c, **words, **lists)
